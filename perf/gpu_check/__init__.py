"""What has to be seen on a GPU before its numbers are believed, in ten minutes at most, as one folder.

    python -m perf.gpu_check [FOLDER] [--rehearse] [--parts steps,memory]

The folder, results/gpu-check if none is named, gets a page (README.md), a CSV for each table, plots, and a log for each
part. Data are rendered as the demo's, and weights are random: nothing is downloaded. A part that fails or takes longer
than its time is told on the page, the others go on, and the exit status is 1. With --rehearse everything runs on the
CPU with small sizes, and the page's numbers mean nothing. With --parts these run, after
the part world.
"""
