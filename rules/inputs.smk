# The inputs of rules that are no plain paths, as functions of wildcards, in the order of the stages. A variant of a benchmark
# shares the data of its base.


def manifest(wildcards):
    return f"data/{CONFIG.base(wildcards.benchmark)}/manifest.parquet"


def index(wildcards):
    return f"data/{CONFIG.base(wildcards.benchmark)}/frames/index.parquet"


def shards(wildcards):
    base = CONFIG.base(wildcards.benchmark)
    return [f"data/{base}/frames/shard-{number}.arrow" for number in PLAN.shards(base)]


def project_file(path):
    """A file of the package, so named that a checkout can be moved."""
    return from_working_directory(ROOT / path)


# Downloads.


def made_files(wildcards):
    """What is there when the workflow has put a data set's videos into their folder; nothing of a user's folder."""
    return sources.made_files(CONFIG, wildcards.dataset)


def split_lists(wildcards):
    """Those that are fetched, or that a user brings."""
    return sources.split_lists(CONFIG, CONFIG.published_kind(wildcards.benchmark))


def inventory(wildcards):
    """The table of the files that a data set has."""
    dataset = PUBLISHED[CONFIG.published_kind(wildcards.benchmark)].name
    return f"data/sources/{dataset}/folder.parquet"


def annotations(wildcards):
    """The files that name the classes, where split lists do not."""
    return sources.annotations(CONFIG, CONFIG.published_kind(wildcards.benchmark))


# Sources and manifests.


def architecture_of_a_small_clip(wildcards):
    return architecture_files(CONFIG.small_clips[wildcards.small_clip].model)


def architecture_of_a_small_video(wildcards):
    return architecture_files(CONFIG.small_videos[wildcards.small_video].model)


def listings(wildcards):
    """The user's own list, a published one, or one for each rendered part."""
    return sources.listings(CONFIG, wildcards.benchmark)


# Frames.


def makers_of_videos(wildcards):
    """What makes a benchmark's videos: when it runs again, all are decoded again."""
    return sources.makers_of_videos(CONFIG, wildcards.benchmark)


def lists_of_videos(wildcards):
    """What names them: a change concerns some shards only, those whose parameter `videos` changes."""
    return [ancient(path) for path in sources.lists_of_videos(CONFIG, wildcards.benchmark)]


def indexes(wildcards):
    numbers = PLAN.shards(wildcards.benchmark)
    return [f"data/{wildcards.benchmark}/frames/shard-{number}.parquet" for number in numbers]


def missing_videos(wildcards):
    """The list of those that are published but not there, of a published benchmark."""
    published = CONFIG.published_kind(wildcards.benchmark)
    return [f"data/{wildcards.benchmark}/missing.csv"] if published else []


# Training.


def validation_episodes(wildcards):
    """The episodes that a training is validated on: of its way and shot."""
    own, way = PLAN.validated_on(wildcards.benchmark), settings_of(wildcards).training.way
    return f"data/{own}/episodes/val-{way}way-{wildcards.shot}shot.parquet"


def rows_of_a_model(wildcards):
    """What one trained model is tested with, on every benchmark whose models these are."""
    return rows.rows_of_a_model(PLAN, wildcards)


# Features and tests.


def encoder_weights(wildcards):
    return PLAN.trained_weights(PLAN.encoder(wildcards))


def encoder_descriptions(wildcards):
    return PLAN.descriptions(PLAN.encoder(wildcards))


def chosen_elsewhere(wildcards):
    """Whether validation classes of another benchmark choose the weight of class names in tests."""
    return PLAN.chooses_text_weight(wildcards) and CONFIG.crosses(wildcards.benchmark)


def manifest_to_choose(wildcards):
    return manifest(PLAN.chosen_on(wildcards)) if chosen_elsewhere(wildcards) else []


def index_to_choose(wildcards):
    return index(PLAN.chosen_on(wildcards)) if chosen_elsewhere(wildcards) else []


def parts_of_tests(wildcards):
    parts = PLAN.test_jobs(wildcards)
    return expand(
        "results/predictions/{benchmark}/{backbone}/{model}/{training}/part{part}of{parts}.parquet",
        part=range(parts),
        parts=parts,
        **wildcards,
    )


# Results.


def files_of_a_figure(wildcards):
    return FIGURES[wildcards.figure].inputs


# Labels of clips.


def lists_of_clips(wildcards):
    """A list that is only written anew, or a clip listed elsewhere, changes the parameter `videos` or nothing."""
    return [ancient(path) for path in PREDICTIONS.lists(wildcards.prediction)]
