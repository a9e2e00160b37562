"""Reading archives without letting them decide anything: no name in an archive ever becomes a path.

The caller says which members it wants and where each goes. Whatever else an archive holds (paths out of its folder,
links, devices, millions of zeros) is passed over or refused. No more is written than a member claims, and no more is
held in memory than a piece of it.
"""
