"""SAFSAR's head against tensors of its public code, for queries of known classes, and the words that it is given."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fsar.backbone_facts import check_words
from fsar.config import TextConfig
from fsar.errors import UserError
from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Inputs
from fsar.methods.safsar.head import Safsar
from fsar.methods.safsar.record import SafsarConfig
from fsar.model.backbone import bare_backbone, load_backbone
from fsar.model.open_clip_backbone import random_backbone
from fsar.model.text import can_read, encode_classes
from tests.conftest import GOLDEN
from tests.helpers.small_video import small_bert, small_video
from tests.public_code.golden import Golden

FILE = GOLDEN / "methods" / "safsar_softmax_train_3way2shot.npz"
NAMES = {
    "fc_norm.": "norm.",
    "mm_fusion_module.": "fusion.",
    "task_specific_learning_module.": "relation.",
    "global_classification_layer.": "for_training.classifier.",
}


def our_name(name: str) -> str:
    return next(name.replace(theirs, ours) for theirs, ours in NAMES.items() if name.startswith(theirs))


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4 * max(theirs.detach().abs().max().item(), 1e-3))


def test_its_head_equals_the_public_code():
    golden = Golden.read(Path(FILE))
    weights, tensors = golden.named("param_"), golden.tensors
    way, shot = golden.number("way"), golden.number("shot")
    width, classes = len(weights["fc_norm.weight"]), len(weights["global_classification_layer.bias"])
    settings = SafsarConfig(
        heads=golden.number("heads"),
        feed_forward=len(weights["mm_fusion_module.layers.0.linear1.bias"]),
        dropout=0.0,
        classification_weight=golden.value("alpha"),
    )
    head = Safsar(Inputs(width, tensors["in_support_tokens"].shape[1], classes), settings).train()
    head.load_state_dict({our_name(name): value for name, value in weights.items()})
    support, queries = (tensors[f"in_{kind}_tokens"].requires_grad_() for kind in ("support", "query"))
    text = nn.utils.rnn.pad_sequence(tensors["in_text"].split(tensors["in_text_lengths"].tolist()), batch_first=True)
    # Class by class, and the queries of known classes alone, of which there are not equally many of each.
    by_class, labels = tensors["in_support_labels"].argsort(stable=True), tensors["in_query_labels"]
    known = labels >= 0
    assert known.any() and not known.all()
    numbers = tensors["in_classes"]
    stored = {"frames": torch.cat([support[by_class], queries])}
    episode = TrainingEpisode(way, shot, stored, numbers, text)
    similar = head.episode_stage(*head.staged(episode))["few_shot"][0]
    close(similar, tensors["out_similarity"])
    means, _, own = head.staged(episode)
    close(means["video"][0, :, 0], tensors["out_prototypes"])
    assert own.shape == (1, way, text.shape[1], width)

    few_shot = nn.functional.cross_entropy(similar[known], labels[known])
    logits = head.class_logits({"frames": torch.cat([support[by_class], queries[known]])})
    wanted = numbers[torch.cat([tensors["in_support_labels"][by_class], labels[known]])]
    parts = (slice(None, way * shot), slice(way * shot, None))
    of_videos = torch.stack([nn.functional.cross_entropy(logits[part], wanted[part]) for part in parts]).sum()
    close(few_shot, tensors["loss_l1_loss"])
    close(head.loss_weights()["classification"] * of_videos, tensors["loss_l2_loss"])
    total = few_shot + head.loss_weights()["classification"] * of_videos
    close(total, tensors["loss_total"])
    total.backward()
    parameters = dict(head.named_parameters())
    for name, theirs in golden.named("grad_").items():
        ours = {"in_support_tokens": support, "in_query_tokens": queries}.get(name)
        close(parameters[our_name(name)].grad if ours is None else ours.grad, theirs)


def test_losses_are_those_of_balanced_queries():
    torch.manual_seed(0)
    head = Safsar(Inputs(8, 3, 5), SafsarConfig(heads=2, feed_forward=12, dropout=0.0))
    text = torch.randn(5, 4, 8)
    episode = TrainingEpisode(2, 2, {"frames": torch.randn(6, 3, 8)}, torch.tensor([4, 1]), text)
    logits, losses = head.losses(episode)
    assert set(losses) == set(head.loss_weights())
    close(losses["few_shot"], nn.functional.cross_entropy(logits, episode.labels))
    videos = head.class_logits(episode.stored)
    expected = [nn.functional.cross_entropy(videos[a:b], episode.video_classes[a:b]) for a, b in ((0, 4), (4, 6))]
    close(losses["classification"], sum(expected))


def test_words_beyond_the_end_of_a_text_are_nothing():
    torch.manual_seed(0)
    head = Safsar(Inputs(8, 3), SafsarConfig(heads=2, feed_forward=12)).eval()
    support, text = {"video": torch.randn(1, 2, 1, 8)}, torch.randn(1, 2, 3, 8)
    longer = torch.cat([text, torch.zeros(1, 2, 2, 8)], dim=2)
    close(head.support_together(support, longer)["video"], head.support_together(support, text)["video"])


def test_the_words_of_clips_text_encoder():
    backbone = random_backbone("small-clip").eval()
    names = ["a star", "a falling heart"]
    words = encode_classes(backbone, names, TextConfig(templates=["{class_name}"]), "tokens")
    whole = encode_classes(backbone, names, TextConfig(templates=["{class_name}"]))
    assert words.shape == (2, 16, backbone.width)
    for text, own, feature in zip(names, words, whole, strict=True):
        end = len(text.split()) + 1  # after the mark of the beginning
        torch.testing.assert_close(own[end], feature)  # CLIP's feature of a text is that of its end
        assert (own[end + 1 :] == 0).all() and own[: end + 1].any(dim=-1).all()


def test_a_width_that_does_not_fit_is_told():
    with pytest.raises(Exception, match=r"heads\.safsar\.heads is 8"):
        Safsar(Inputs(12, 3), SafsarConfig())


def test_the_words_of_bert_beside_an_encoder_of_video(tmp_path):
    transformers = pytest.importorskip("transformers", reason="encoders of video need the extra `video`")
    about = small_video("videomae", tmp_path / "video").model_copy(update={"words": small_bert(tmp_path / "bert")})
    assert not about.has_text and about.has_text_for("tokens") and not about.has_text_for("each")
    assert can_read(bare_backbone(about), "tokens") and not can_read(bare_backbone(about), "mean")
    names, config = ["a star", "falling"], TextConfig(templates=["{class_name}"])
    words = encode_classes(load_backbone(about).eval(), names, config, "tokens")
    bert = transformers.AutoModel.from_pretrained(tmp_path / "bert").eval()
    assert words.shape == (2, 4, 32)  # the marks of beginning and end are words, too
    for name, own, length in zip(names, words, (4, 3), strict=True):
        tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "bert")(name, return_tensors="pt")
        with torch.inference_mode():
            wanted = bert(**tokens).last_hidden_state[0]
        assert len(wanted) == length
        torch.testing.assert_close(own[:length], wanted, rtol=1e-5, atol=1e-5)
        assert (own[length:] == 0).all()
    # A BERT of another width, weights of another model, and no folder.
    wide = about.model_copy(update={"words": small_bert(tmp_path / "wide", 48)})
    with pytest.raises(UserError, match=r"have 48 numbers, and the features of .* have 32"):
        encode_classes(load_backbone(wide).eval(), names, config, "tokens")
    with pytest.raises(UserError, match=r"have 48 numbers, and the features of VideoMAE 32"):
        check_words(wide.words, wide.video)
    with pytest.raises(UserError, match=r"no description .*none/config\.json"):
        check_words(str(tmp_path / "none"), about.video)
    with pytest.raises(UserError, match="40 hexadecimal digits"):
        check_words("google-bert/bert-base-uncased@main", about.video)
    with pytest.raises(UserError, match="name a repository of the hub"):
        check_words(f"@{'0' * 40}", about.video)
    check_words(f"google-bert/bert-base-uncased@{'0' * 40}", about.video)
    # Without a tokenizer, which transformers then makes up.
    shutil.copytree(tmp_path / "bert", tmp_path / "mute", ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(UserError, match=r"The tokenizer of .*mute knows no words"):
        mute = about.model_copy(update={"words": str(tmp_path / "mute")})
        encode_classes(load_backbone(mute).eval(), names, config, "tokens")
    with pytest.raises(UserError, match=r"weights .* or a tokenizer .*vocab\.txt.* are missing"):
        check_words(mute.words, mute.video)
    state = load_file(tmp_path / "bert" / "model.safetensors")
    state.pop(next(name for name in state if name.endswith("layer.0.output.dense.weight")))
    save_file(state, tmp_path / "bert" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"are not those of its description: .*layer\.0\.output\.dense\.weight"):
        encode_classes(load_backbone(about).eval(), names, config, "tokens")
