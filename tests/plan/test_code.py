"""Which code decides a result, statements along the imports of a script and nothing else."""

import re
from pathlib import Path

import pytest

from fsar.config import BackboneConfig, FramesConfig
from fsar.methods import MODELS, Components
from fsar.methods.record import adapter_section, head_section
from fsar.methods.settings import AdapterSettings, HeadSettings
from fsar.plan import code as code_module
from fsar.plan.code import PACKAGE, code_checksum, code_checksums, code_inputs, statements_checksum
from fsar.plan.imported import decoder_file, encoder_files, model_files

SCRIPTS = PACKAGE.parent / "workflow_scripts"

BEFORE = '''"""What it is for."""

import math
from fsar.files import atomic, write_json
from fsar.videos.decode import decode


class Thing:
    """A thing."""

    size: int = 3

    def half(self, of: float) -> float:
        """Return half."""
        return of / 2  # exactly


def whole(x: int, *rest: int, named: str = "a") -> list[int]:
    result: list[int] = [x, *rest]
    return result
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# exactly", "# nearly"),
        ("  # exactly", ""),
        ('"""Return half."""', '"""Give back one half,\n\n        or so.\n        """'),
        ('"""A thing."""', '"""Another thing."""'),
        ('"""What it is for."""\n\n', ""),
        ("of: float) -> float", "of)"),
        ("named: str", "named: object"),
        ("result: list[int] = ", "result = "),
        ("size: int", "size: float"),
        ("[x, *rest]", "[\n        x,\n        *rest,\n    ]"),
        ("import atomic, write_json", "import write_json, atomic"),
        ("import math\nfrom fsar.files", "from fsar.files"),
        ('"a"', "'a'"),
    ],
)
def test_what_does_not_act_does_not_count(tmp_path, old, new):
    assert old in BEFORE
    after = BEFORE.replace(old, new)
    if "import math" in old:  # moved to the end of the imports, not away
        after = after.replace("import decode\n", "import decode\nimport math\n")
    assert checksum(tmp_path, after) == checksum(tmp_path, BEFORE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("of / 2", "of / 3"),
        ("size: int = 3", "size: int = 4"),
        ("size: int = 3", "length: int = 3"),
        ('"a"', '"b"'),
        ("import math", "import cmath as math"),
        ("def half", "def third"),
        ("return result", "return result[::-1]"),
        ("*rest: int,", "*others: int,"),
    ],
)
def test_what_acts_counts(tmp_path, old, new):
    assert old in BEFORE
    assert checksum(tmp_path, BEFORE.replace(old, new)) != checksum(tmp_path, BEFORE)


def checksum(folder: Path, text: str) -> str:
    path = folder / f"{hash(text)}.py"
    path.write_text(text)
    return statements_checksum(path)


def test_code_follows_the_imports_of_a_script(repository):
    def inputs(name):
        return {str(Path(path).relative_to(repository / "fsar")) for path in code_inputs(SCRIPTS / name)}

    written = ("decode", "frame", "orientation", "progressive", "rates", "resize", "scale", "shards", "store_write")
    assert inputs("decode_frames.py") == {f"videos/{name}.py" for name in written}
    assert {"methods/head.py", "training/schedule.py", "videos/sampling.py", "videos/store_read.py"} <= inputs(
        "train_model.py"
    )
    # Reading the store decodes nothing, a head encodes nothing, a record or a section of the config makes nothing.
    assert "videos/store_read.py" not in inputs("decode_frames.py") | inputs("gather_index.py")
    assert "methods/clip_fsar/head.py" not in inputs("encode_features.py")
    for script in SCRIPTS.glob("*.py"):
        assert not {p for p in inputs(script.name) if p.startswith(("config/", "plan/")) or p.endswith("record.py")}


def forget():
    for cached in (code_module.code_checksum, code_module._reachable, code_module._read):
        cached.cache_clear()


def test_a_module_counts_however_it_is_imported(tmp_path, monkeypatch):
    """By its own name, from its package, under another name, within a function, and through others."""
    package = tmp_path / "fsar"
    (package / "part").mkdir(parents=True)
    monkeypatch.setattr(code_module, "PACKAGE", package)
    for name in ("a", "b", "c", "d", "e", "unused"):
        (package / "part" / f"{name}.py").write_text("VALUE = 1\n")
    (package / "part" / "b.py").write_text("from fsar.part import e as other\nVALUE = other.VALUE\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import fsar.part.a\nfrom fsar.part import b\nfrom fsar.part.c import VALUE\n"
        "def later():\n    from fsar.part import d as other\n    return other\n"
    )

    def checksum():
        forget()
        return code_module.code_checksum(script)

    seen = [checksum()]
    for name in "abcde":
        (package / "part" / f"{name}.py").write_text((package / "part" / f"{name}.py").read_text() + "MORE = 2\n")
        seen.append(checksum())
    assert len(set(seen)) == 6
    (package / "part" / "unused.py").write_text("VALUE = 2\n")
    assert checksum() == seen[-1]
    forget()


def test_variants_of_a_metric_count_with_the_metric_they_are_made_of():
    """The metric in one direction is a file that imports the other's module from its package."""
    one_way = model_files(BackboneConfig(model="x", weights="y"), MODELS["otam-one-way"])
    reached = {Path(path).name for path in code_checksums(SCRIPTS / "evaluate_model.py", *one_way)}
    assert {"otam_one_way.py", "otam.py", "metric.py"} <= reached


def test_a_decoder_counts_where_it_is_used():
    chosen = {name: decoder_file(FramesConfig(decoder=name)) for name in ("pyav", "decord", "ffmpeg")}
    assert len({code_checksum(SCRIPTS / "decode_frames.py", file) for file in chosen.values()}) == 3
    names = {Path(path).name for path in code_inputs(chosen["decord"])}
    assert {"losses.py", "program.py", "pyav.py", "scale.py"} <= names and "ffmpeg.py" not in names


def test_a_metric_and_a_library_count_where_they_are_used():
    def trained(library, model):
        backbone = BackboneConfig(model="x", weights="y", library=library)
        return code_checksum(SCRIPTS / "train_model.py", *model_files(backbone, MODELS[model]))

    assert len({trained("open_clip", "otam"), trained("open_clip", "trx"), trained("timm", "otam")}) == 3
    assert trained("open_clip", "clip-fsar") == trained("open_clip", "otam-video-text")
    assert trained("open_clip", "otam") == trained("open_clip", "frozen")
    files = {Path(path).name for path in code_inputs(SCRIPTS / "train_model.py")}
    assert "backbone.py" in files and not {"timm_backbone.py", "open_clip_backbone.py", "encode_stored.py"} & files


def test_adapters_count_where_they_are_used():
    def files(model, of=model_files):
        found = of(BackboneConfig(model="x", weights="y"), MODELS[model])
        return {path.parent.name for path in found if path.name == "adapter.py"}

    assert files("d2st") == files("d2st", encoder_files) == {"d2st"} and files("otam-lora") == {"lora"}
    assert files("otam") == files("clip-spm") == set()
    reached = code_checksums(
        SCRIPTS / "train_model.py", *model_files(BackboneConfig(model="x", weights="y"), MODELS["d2st"])
    )
    assert {f"fsar/methods/{path}" for path in ("d2st/adapter.py", "d2st/deformable.py", "blocks/ends.py")} <= set(
        reached
    )
    assert not {f"fsar/methods/{path}/adapter.py" for path in ("lora", "aim", "task_adapter")} & set(reached)


# A fact of a record, with another value, and a model that it concerns.
FACTS = [
    ("molo", "needs", "frames"),
    ("emp-net", "texts", "mean"),
    ("clip-spm", "texts", "none"),
    ("molo", "needs_pixels", False),
    ("linear-probe", "prototypes", True),
]
FACTS_OF_ADAPTERS = [
    ("task-adapter", "across_videos", False),
    ("otam-lora", "for_transformers", False),
    ("tamt", "for_video", False),
    ("task-adapter", "in_text_encoder", False),
]


@pytest.mark.parametrize(("model", "fact", "other"), FACTS + FACTS_OF_ADAPTERS)
def test_what_jobs_look_up_about_models_is_a_parameter_of_those_it_concerns(model, fact, other, monkeypatch):
    parts = MODELS[model]
    kind = head_section(parts.head) if (model, fact, other) in FACTS else adapter_section(parts.adapters)
    before = {name: own.facts() for name, own in MODELS.items()}
    monkeypatch.setattr(kind, fact, other)
    changed = {name for name, own in MODELS.items() if own.facts() != before[name]}
    assert model in changed and {MODELS[name].head for name in changed} == {parts.head}


def test_every_fact_of_models_is_looked_at():
    declared = {name for kind in (HeadSettings, AdapterSettings) for name in kind.__class_vars__}
    assert {fact for _, fact, _ in FACTS + FACTS_OF_ADAPTERS} == declared - {"model_config"}
    properties = {name for name, own in vars(Components).items() if isinstance(own, property) and name[0] != "_"}
    found = {name for parts in MODELS.values() for name in parts.facts()}
    assert found == properties - {"encoding", "encoding_of_training", "settings", "imported_by_name"}


def test_rules_whose_jobs_look_them_up_have_them():
    with_components = [
        name
        for path in (PACKAGE.parent / "rules").glob("*.smk")
        for name, own in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)*)", path.read_text(), re.MULTILINE)
        if "components=" in own or "PREDICTIONS.model" in own
        if "facts=" not in own
    ]
    assert with_components == []


def test_templates_of_a_page_decide_it(repository):
    script = repository / "workflow_scripts/write_index.py"
    named = {Path(name).name for name in code_inputs(script)}
    assert named >= {"index.html.jinja", "base.html.jinja", "parts.html.jinja", "style.css", "page.js"}
    assert "fsar/results/index.html.jinja" in code_checksums(script)


def test_every_template_is_named_by_the_module_beside_it(repository):
    for template in [
        *(repository / "fsar").rglob("*.jinja"),
        *(repository / "fsar").rglob("*.css"),
        *(repository / "fsar").rglob("*.js"),
    ]:
        assert any(f'"{template.name}"' in module.read_text() for module in template.parent.glob("*.py")), template
