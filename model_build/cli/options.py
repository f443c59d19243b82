"""Options that several commands have."""

import click

from edge_runtime.cli.options import complete_files

data_option = click.option(
    "--data",
    metavar="digits|PATH",
    default="digits",
    show_default=True,
    shell_complete=complete_files,
    help="The examples: a folder per class (images, .wav, .npy), IDX, .npz, .npy, .csv.",
)
seed_option = click.option(
    "--seed", metavar="N", type=int, default=0, show_default=True, help="Same seed, same bytes."
)
