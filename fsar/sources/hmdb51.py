"""HMDB51: one RAR archive of RAR archives, one for each class, of AVI files with packed B-frames."""

from fsar.benchmarks.data_sets import HMDB51
from fsar.sources.data_set import Files, by_folder_and_file
from fsar.sources.split_lists import Entry


def group(entry: Entry) -> str:
    """Return the film of a clip, which stands before its class: `AHF_Rapier_fencing_f_cm_np2_le_med_0.avi`.

    Behind it are what of a body is seen, the camera, the view, the quality and the number of the clip.
    """
    return f"{entry.folder}/{entry.file.rsplit(f'_{entry.folder}_', 1)[0]}"


FILES = Files(HMDB51, find=by_folder_and_file, group=group)
