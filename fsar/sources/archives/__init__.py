"""Reads archives safely: no name in an archive ever becomes a path.

The caller chooses members and where each goes. Whatever else an archive holds (paths out of its folder,
links, devices, millions of zeros) is skipped or refused. No more is written than a member states, and no more is
held in memory than a chunk of it.
"""
