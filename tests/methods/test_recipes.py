"""The recipes of the published benchmarks against the numbers of the public codes; and each says where it is from."""

import csv
import json
import re

import pytest
import yaml

from fsar.config import load
from fsar.methods.recipes import recipes
from fsar.own_methods import PACKAGE
from tests.conftest import REPOSITORY

REFERENCE = REPOSITORY.parent / "shared" / "reference"
BENCHMARKS = ("kinetics100", "ssv2_full", "ssv2_small", "ucf101", "hmdb51")
INET, VIT = "INet-RN50", "ViT-B-16"
# As the table of the benchmarks and prose name them.
PROSE = {"Kinetics": "kinetics100", "SSv2-Full": "ssv2_full", "SSv2-Small": "ssv2_small", "UCF": "ucf101"}
PROSE |= {"HMDB": "hmdb51"}


@pytest.fixture(scope="module")
def config():
    return load(yaml.safe_load((REPOSITORY / "config.yaml").read_text()))


def reference(name):
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path.read_text(encoding="utf-8")


def section_of(text, start, end):
    return text.partition(start)[2].partition(end)[0]


def clocked(training):
    """What a schedule of steps is, with its milestones in warm-ups."""
    length = training.warmup_iterations
    steps = [milestone / length for milestone in training.milestones]
    return (training.learning_rate, training.warmup_from, length, steps, training.factors, training.iterations)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.glob("*/recipe*.toml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_number_says_where_it_is_from(path):
    """Above each table stands a file of the public code, or why the numbers are ours."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("["):
            above = []
            while (number := number - 1) >= 0 and lines[number].startswith("#"):
                above.insert(0, lines[number])
            said = " ".join(above)
            assert re.search(r"\w\.(py|yaml|sh|toml|md)\b|\bours, because\b|The same file", said), (
                f"{path.name}: {line}"
            )


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_hyrsmpp_is_that_of_its_settings(config, benchmark):
    rows = csv.DictReader(reference("recipes_hyrsmpp.csv").splitlines())
    (row,) = (row for row in rows if (row["benchmark"], row["shot"]) == (benchmark, "1"))
    training = config.of(benchmark, INET, "hyrsmpp").training
    first, *factors = json.loads(row["lrs"])
    start, *steps = json.loads(row["steps"])
    length = int(row["steps_iter"])
    assert (first, start) == (1, 0)
    # The clock of epochs runs double.
    expected = (float(row["base_lr"]), float(row["warmup_start_lr"]), length, [step / 2 for step in steps], factors)
    assert clocked(training) == (*expected, int(row["num_train_tasks"]))
    of_step, divisor = int(row["batch_size_per_task"]), int(row["batch_size"])
    assert (training.tasks_per_step, training.queries, training.optimizer) == (
        of_step,
        int(row["query_per_class"]),
        "adam",
    )
    assert (training.weight_decay, training.epsilon) == (1e-3 * divisor / of_step, 1e-8 * divisor / of_step)
    assert training.shot == "tested"
    head = config.of(benchmark, INET, "hyrsmpp").head
    keys = (
        "use_classification_value",
        "temporal_loss_weight",
        "window_size",
        "temporal_balance",
        "balance_coefficient",
    )
    ours = (head.classification_weight, head.coherence_weight, head.window, head.falloff, head.far_weight)
    assert ours == tuple(float(row[key]) for key in keys)
    positions = (float(row["position_a"] or 10), float(row["position_b"] or 1))
    assert (head.feature_divisor, head.position_scale) == positions


def test_hyrsm_is_that_of_its_table(config):
    section = section_of(reference("methods.md"), "## 3. HyRSM", "### HyRSM++")
    found = re.findall(r"^\| (\w+) \| (\S+) \| (\S+) \| (\d+) \| ([\d, ]+) \(([\d., ]+)\) \| (\d+) \|$", section, re.M)
    assert {row[0] for row in found} == set(BENCHMARKS)
    for benchmark, rate, start, length, steps, factors, episodes in found:
        training = config.of(benchmark, INET, "hyrsm").training
        halves = [int(step) / 2 for step in steps.split(",")]
        expected = (float(rate), float(start), int(length), halves, [float(f) for f in factors.split(",")])
        assert clocked(training) == (*expected, int(episodes)), benchmark
    weights = re.search(
        r"λ: Kinetics ([\d.]+), SSv2-Full ([\d.]+), SSv2-Small ([\d.]+), UCF ([\d.]+), HMDB ([\d.]+)", section
    )
    for benchmark, weight in zip(BENCHMARKS, weights.groups(), strict=True):
        assert config.of(benchmark, INET, "hyrsm").head.classification_weight == float(weight.rstrip("."))


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_molo_is_that_of_its_text(config, benchmark):
    section = section_of(reference("methods.md"), "## 4. MoLo", "## 5. TEAM")
    name = {kind: said for said, kind in PROSE.items()}[benchmark]
    line = next(line for line in section.splitlines() if line.startswith("6 queries per class"))
    found = re.search(rf"{name} ([\de-]+)/([\de-]+)/(\d+)/([\d,]+)(?: \(([\d., ]+)\))?/(\d+)", line).groups()
    rate, start, length, steps, factors, episodes = found
    # "all ×0.1, ×0.01" where none are named.
    drops = [float(f) for f in factors.split(",")] if factors else [0.1, 0.01]
    training = config.of(benchmark, INET, "molo").training
    halves = [int(step) / 2 for step in steps.split(",")]
    assert clocked(training) == (float(rate), float(start), int(length), halves, drops, int(episodes))
    weight, reconstruction = re.search(
        rf"{name} ([\d.]+), ([\d.]+\d)", section_of(section, "λ, μ:", "queries")
    ).groups()
    head = config.of(benchmark, INET, "molo").head
    # Its code divides every loss but this by the four episodes of a step.
    assert (head.classification_weight, head.reconstruction_weight) == (float(weight), 4 * float(reconstruction))
    place = (2048, 0.02) if benchmark == "kinetics100" else (10, 1)
    assert (head.feature_divisor, head.position_scale) == place
    assert (training.queries, training.tasks_per_step, training.weight_decay, training.shot) == (6, 4, 1e-3, 1)


@pytest.mark.parametrize("backbone", [INET, VIT])
@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_d2st_is_that_of_its_text(config, benchmark, backbone):
    section = section_of(reference("methods.md"), "## 6. D²ST-Adapter", "## 7.")
    name = {kind: said for said, kind in PROSE.items()}[benchmark]
    line = next(line for line in section.splitlines() if line.startswith("lr/from/S"))
    pattern = rf"{name} ([\de-]+)/([\de-]+)/(\d+)/([\d,]+) \(([\d.,]+)\)/(\d+)"
    rate, start, length, steps, factors, episodes = re.search(pattern, line).groups()
    if backbone == INET:
        rate, start = re.search(r"RN50: ([\de-]+)/([\de-]+), otherwise alike", line).groups()
    training = config.of(benchmark, backbone, "d2st").training
    whole = [int(step) for step in steps.split(",")]
    expected = (float(rate), float(start), int(length), whole, [float(f) for f in factors.split(",")], int(episodes))
    assert clocked(training) == expected
    of_both = re.search(rf"{name} ([\d.–]+)/([\d.]+\d|\d)", section_of(section, "λ (ViT/RN):", "Adam")).groups()
    weight = of_both[backbone == INET]
    head = config.of(benchmark, backbone, "d2st").head
    assert head.classification_weight == (0 if weight == "–" else float(weight))


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_clip_spm_is_that_of_its_text(config, benchmark):
    section = section_of(reference("methods.md"), "## 9. CLIP-SPM", "## 10.")
    line = section_of(section, "(text, vision):", "— written")
    name = {kind: said for said, kind in PROSE.items()}[benchmark]
    (part,) = (part for part in line.split(";") if name in part)
    numbers = [float(number) for number in re.findall(r"(?<![\w-])\d+(?:\.\d+)?", part)]
    head = config.of(benchmark, VIT, "clip-spm").head
    assert [head.text_strength, head.slope, head.text_gate, head.frame_gate] == numbers
    training = config.of(benchmark, VIT, "clip-spm").training
    full = benchmark == "ssv2_full"
    assert (training.learning_rate, training.weight_decay) == ((1.6e-5, 9.7e-4) if full else (1e-5, 5e-5))
    assert training.iterations == (100010 if benchmark.startswith("ssv2") else 20010)


# A step of a public code adds up `episodes` losses, each divided by `divisor`; here they are averaged. So that Adam
# takes the same step, decay and epsilon are to those of the code as the divisor to the episodes.
SCALED = [
    ("hyrsm", INET, None, 4, 4),
    ("hyrsm", INET, "hmdb51", 2, 4),
    ("hyrsmpp", INET, None, 4, 4),
    ("molo", INET, None, 4, 4),
    ("d2st", INET, None, 8, 2),
    ("d2st", VIT, None, 8, 2),
    ("emp-net", VIT, None, 4, 1),
    ("emp-net-published", VIT, None, 4, 1),
]


@pytest.mark.parametrize(("model", "backbone", "only", "episodes", "divisor"), SCALED)
def test_adam_takes_the_published_step(config, model, backbone, only, episodes, divisor):
    others = {place for name, _, place, *_ in SCALED if name == model and place}
    for benchmark in [only] if only else [name for name in BENCHMARKS if name not in others]:
        training = config.of(benchmark, backbone, model).training
        assert (training.optimizer, training.tasks_per_step) == ("adam", episodes)
        assert training.weight_decay == pytest.approx(1e-3 * divisor / episodes)
        assert training.epsilon == pytest.approx(1e-8 * divisor / episodes)


def test_what_else_a_step_is(config):
    def of(model, benchmark, backbone=INET):
        return config.of(benchmark, backbone, model).training

    for benchmark in BENCHMARKS:
        queries = 5 if benchmark == "kinetics100" else 4
        assert (of("strm", benchmark).queries, of("trx", benchmark).queries) == (queries, 5)
        team, side = of("team", benchmark), of("ts-fsar", benchmark, VIT)
        assert (team.weight_decay, team.learning_rate, team.queries, team.iterations) == (5e-4, 1e-3, 6, 10000)
        assert (team.milestones, team.factors) == ([3000, 5000, 7000], [0.5, 0.1, 0.01])
        assert (side.optimizer, side.epsilon, side.weight_decay, side.schedule) == ("adamw", 1e-6, 0.1, "cosine")
        assert (side.iterations, side.tasks_per_step) == (50000 if benchmark == "ssv2_full" else 10000, 1)
        own = of("task-adapter", benchmark, VIT)
        assert (own.optimizer, own.learning_rate, own.iterations, own.queries) == ("sgd", 1e-3, 10000, 1)
        for backbone in (INET, "RN50", VIT):
            chamfer = of("chamferpp", benchmark, backbone)
            assert (chamfer.optimizer, chamfer.learning_rate, chamfer.tasks_per_step) == ("sgd", 1e-3, 1)
            assert (chamfer.queries, chamfer.weight_decay, chamfer.milestones) == (1, 0, [])
            slow = benchmark.startswith("ssv2")
            assert (chamfer.iterations, chamfer.validate_every) == ((150002, 10000) if slow else (20002, 1000))
        levels = of("mml-fsar", benchmark, VIT)
        assert (levels.optimizer, levels.weight_decay, levels.tasks_per_step) == ("adam", 0, 16)
        assert (levels.warmup_iterations, levels.warmup_from, levels.schedule) == (10000, 0, "cosine")
        assert (levels.learning_rate, levels.validate_every) == ((1e-4, 10000) if slow else (5e-5, 5000))
        soap = of("soap", benchmark)
        assert (soap.optimizer, soap.learning_rate, soap.tasks_per_step) == ("sgd", 1e-3 / 16, 1)
        assert (soap.loss_over_queries, soap.queries, soap.weight_decay) == ("sum", 5, 0)
        milestones = ([20000, 40000, 60000], 75000) if slow else ([2000, 6000, 8000], 10000)
        assert (soap.milestones, soap.iterations) == milestones
        assert config.of(benchmark, INET, "soap").head.cardinalities == [1]
    assert of("emp-net", "ssv2_full", VIT).milestones == [16000, 24000]


def test_every_recipe_is_compared():
    compared = {
        "hyrsm",
        "hyrsmpp",
        "molo",
        "d2st",
        "clip-spm",
        "emp-net",
        "emp-net-published",
        "strm",
        "strm-published",
    }
    assert set(recipes()) == compared | {
        "trx",
        "team",
        "ts-fsar",
        "task-adapter",
        "task-adapter-published",
        "chamferpp",
        "mml-fsar",
        "soap",
        *(f"{name}-frdisc" for name in ("trx", "strm")),  # as without
        "tamt",
        "tamt-published",
        "safsar",
        *(f"{name}-motion" for name in ("trx", "hyrsm", "hyrsmpp", "team", "strm", "d2st")),  # trained as without
    }
