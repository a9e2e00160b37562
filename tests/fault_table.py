"""The faults of `tests.faults`: where, what stands there, what is put in its place, which tests should notice it."""

from typing import NamedTuple


class Fault(NamedTuple):
    """A fault of one place.

    Attributes:
        file: of the project.
        old: what stands there, once.
        new: what is put in its place.
        tests: that should notice it, as pytest is given them.
    """

    file: str
    old: str
    new: str
    tests: str


EPISODES = "episodes/test_episodes.py"
EVALUATION = "evaluation/test_evaluation.py -k 'many_videos or several_ways or to_accuracies or interval or names_of'"
RESULTS = "results/test_results.py"
VIDEOS = "videos/test_videos.py videos/test_sampling.py videos/test_augmentation.py"
MODEL = "methods/test_golden.py methods/test_method.py model/test_model.py"
HEADS = "methods/test_golden_methods.py methods/test_heads_relations.py methods/test_heads_trx_strm_team.py"
CONFIG = "methods/test_recipes.py methods/test_records.py test_nodes.py config/test_config.py"
CHECK = "predict/test_check.py -k 'temperature or leaving_out or mislabelled or confused or nearness'"
SPOT = "predict/test_spot.py -k 'threshold or stretches or subtitles or command'"
SOURCES = "sources/test_manifest.py test_csv_rows.py"
STEP = (
    "training/test_step.py training/test_optimizer.py training/test_fit.py training/test_checkpoint.py "
    "training/test_data.py training/test_batch_norm.py -k 'gradient_of_a_step or rate_of_its_last or "
    "validation_is_due or interrupted or running_statistics or only_queries or one_loader or span_lies'"
)
QUICK = (
    "training/test_optimizer.py training/test_fit.py "
    "-k 'schedule or optimizers or named_norm or record_says or equal_validations'"
)

FAULTS = [
    # What is read, and who is in which split.
    Fault(
        "fsar/sources/manifest.py",
        'sort_values(["split", "class_name", "video_id"]',
        'sort_values(["video_id"]',
        SOURCES,
    ),
    Fault("fsar/sources/manifest.py", "if len(splits) > 1", "if len(splits) > 2", SOURCES),
    Fault(
        "fsar/sources/manifest.py",
        '[row.values["split"].strip() for row in rows]',
        '["train" for row in rows]',
        SOURCES,
    ),
    Fault("fsar/sources/manifest.py", 'row.values["id"] or row.values["path"]', 'row.values["path"]', SOURCES),
    Fault("fsar/sources/split_lists.py", "match[1] != split", "match[1] == 'none'", "sources/test_split_lists.py"),
    Fault(
        "fsar/sources/split_lists.py",
        "Entry(match[3], split, int(match[2]))",
        "Entry(match[3], split, int(match[2]) + 1)",
        "sources/test_split_lists.py",
    ),
    Fault("fsar/csv_rows.py", "found.append(Row(line,", "found.append(Row(line - 1,", SOURCES),
    # Videos.
    Fault("fsar/videos/shards.py", "zlib.crc32(video_id.encode()) % shards", "len(video_id) % shards", VIDEOS),
    Fault("fsar/videos/store_write.py", "(np.arange(keep) + 0.5)", "np.arange(keep)", VIDEOS),
    Fault("fsar/videos/store_write.py", "keep == 0 or frames <= keep", "frames <= keep", VIDEOS),
    Fault(
        "fsar/videos/store_write.py",
        "kept = jpegs.at(positions)",
        "kept = [jpegs[i] for i in range(len(positions))]",
        VIDEOS + " videos/test_times.py",
    ),
    Fault(
        "fsar/videos/store_write.py",
        "np.array(video.times)[positions], kept",
        "1000 * np.array(video.times)[positions], kept",
        "videos/test_times.py",
    ),
    Fault("fsar/videos/store_read.py", "w - stored[b] <= stored[a] - w", "w - stored[b] < stored[a] - w", VIDEOS),
    Fault(
        "fsar/videos/store_read.py",
        "self._scratch[top : top + height, left : left + width]",
        "self._scratch[left : left + height, top : top + width]",
        VIDEOS,
    ),
    Fault("fsar/videos/augmentation.py", "frames.flip(2)", "frames.flip(1)", VIDEOS),
    Fault("fsar/videos/augmentation.py", "(side - size) // 2, (side - size) // 2", "0, 0", VIDEOS),
    Fault(
        "fsar/videos/augmentation.py",
        "rng.integers(side - size + 1)), int",
        "rng.integers(max(side - size, 1))), int",
        VIDEOS,
    ),
    Fault(
        "fsar/videos/sampling.py", "rng.uniform(0, slack) if training else slack / 2", "rng.uniform(0, slack)", VIDEOS
    ),
    Fault(
        "fsar/videos/sampling.py",
        "(2 * np.arange(frames) + 1) * length",
        "(2 * np.arange(frames)) * length",
        "videos/test_videos.py predict/test_predict.py videos/test_times.py",
    ),
    Fault("fsar/videos/sampling.py", "default_rng([seed, zlib.crc32(video_id.encode())", "default_rng([seed", VIDEOS),
    Fault(
        "fsar/videos/sampling.py",
        "segment + rng.integers(segment, size=frames)",
        "segment + rng.integers(segment)",
        VIDEOS,
    ),
    Fault("fsar/videos/resize.py", "+ 0.5) * length / size - 0.5", ") * length / size", VIDEOS),
    Fault(
        "fsar/videos/rates.py",
        "float(np.median(np.diff(times)))",
        "float(np.mean(np.diff(times)))",
        "videos/test_times.py videos/test_decoders.py",
    ),
    Fault(
        "fsar/videos/decoders/losses.py",
        "if alike < ALIKE * len(steps):",
        "if alike < 0:",
        "videos/test_times.py videos/test_decoders.py",
    ),
    Fault("fsar/videos/decoders/clock.py", "self._offset -= ahead", "self._offset += ahead", "videos/test_times.py"),
    # Episodes.
    Fault(
        "fsar/episodes/stored.py",
        "[seed, 4, SPLITS.index(split), way, shot, queries]",
        "[seed, 4, way, shot, queries]",
        EPISODES,
    ),
    Fault(
        "fsar/episodes/stored.py",
        "[seed, 4, SPLITS.index(split), way, shot, queries]",
        "[4, SPLITS.index(split), way, shot, queries]",
        EPISODES,
    ),
    Fault("fsar/episodes/stored.py", '(videos["split"] == split) & videos', "videos", EPISODES),
    Fault(
        "fsar/episodes/stored.py",
        "support=videos[..., :shot],\n            queries=videos[..., shot:],",
        "support=videos[..., -shot:],\n            queries=videos[..., :-shot],",
        EPISODES,
    ),
    Fault(
        "fsar/episodes/draw.py",
        "drawn[:, : self.shot], drawn[:, self.shot :]",
        "drawn[:, : self.shot], drawn[:, : self.queries]",
        EPISODES,
    ),
    Fault("fsar/episodes/draw.py", "default_rng([seed, 3, number])", "default_rng([seed, 3])", EPISODES),
    Fault("fsar/episodes/draw.py", "len(videos) < shot + queries", "len(videos) < shot", EPISODES),
    # Models.
    Fault(
        "fsar/methods/blocks/similarity.py",
        "y.norm(dim=-1).unsqueeze(-2)",
        "y.norm(dim=-1).unsqueeze(-2).square()",
        MODEL,
    ),
    Fault("fsar/methods/blocks/similarity.py", "NORM_EPSILON = 0.01", "NORM_EPSILON = 0.001", MODEL),
    Fault("fsar/methods/blocks/otam.py", "weights[-1] = 0.0", "weights[0] = 0.0", MODEL),
    Fault("fsar/methods/blocks/otam.py", "distances.transpose(-1, -2)", "distances", MODEL),
    Fault(
        "fsar/methods/blocks/bi_mhm.py",
        "distances.amin(dim=-2).sum(dim=-1)",
        "distances.amin(dim=-1).sum(dim=-1)",
        MODEL,
    ),
    Fault(
        "fsar/methods/blocks/tuples.py",
        "torch.stack(distances).mean(dim=0)",
        "torch.stack(distances).sum(dim=0)",
        MODEL,
    ),
    Fault("fsar/methods/blocks/mean_cosine.py", "queries.shape[-2] * (1", "(1", MODEL),
    Fault(
        "fsar/methods/clip_fsar/decision.py",
        "(few_shot / frames).log_softmax",
        "few_shot.log_softmax",
        "methods/test_method.py evaluation/test_evaluation.py predict/test_predict.py",
    ),
    Fault(
        "fsar/methods/clip_fsar/decision.py",
        "text_weight * text.log_softmax(dim=-1) + (1 - text_weight)",
        "(1 - text_weight) * text.log_softmax(dim=-1) + text_weight",
        "methods/test_method.py evaluation/test_evaluation.py",
    ),
    Fault(
        "fsar/methods/blocks/temporal_transformer.py",
        "self.feed_forward_dropout(self.contract(hidden)) + x",
        "self.feed_forward_dropout(self.contract(hidden))",
        MODEL,
    ),
    Fault(
        "fsar/methods/clip_fsar/head.py",
        "self.temporal_transformer(frames, text)",
        "self.temporal_transformer(frames)",
        MODEL,
    ),
    Fault(
        "fsar/methods/clip_fsar/head.py",
        "F.cross_entropy(class_logits, episode.video_classes)",
        "F.cross_entropy(class_logits[: len(episode.labels)], episode.video_classes[: len(episode.labels)])",
        MODEL,
    ),
    Fault("fsar/methods/head.py", "videos.mean(dim=2, keepdim=True)", "videos[:, :, :1]", MODEL),
    Fault(
        "fsar/methods/head.py",
        "self.classes.repeat_interleave(self.shot)",
        "self.classes.repeat(self.shot)",
        MODEL + " " + HEADS,
    ),
    Fault(
        "fsar/methods/hyrsm/head.py", "scale = math.sqrt(asks.shape[-1])", "scale = math.sqrt(asks.shape[-2])", HEADS
    ),
    Fault(
        "fsar/model/in_episode.py",
        "queries_apart = False",
        "queries_apart = True",
        "evaluation/test_evaluation.py methods/test_adapters.py",
    ),
    Fault(
        "fsar/model/few_shot.py",
        "(videos[:support], videos[support:])",
        "(videos,)",
        "training/test_golden_whole.py model/test_model.py",
    ),
    Fault(
        "fsar/model/backbone.py",
        "torch.tensor(mean) * 255",
        "torch.tensor(mean)",
        "model/test_backbones.py model/test_model.py training/test_golden_whole.py",
    ),
    Fault("fsar/model/text.py", "F.normalize(encoded, dim=-1)", "F.normalize(encoded, dim=0)", "model/test_text.py"),
    Fault(
        "fsar/methods/task_adapter/record.py",
        '"task-adapter",\n            inductive=False',
        '"task-adapter",\n            inductive=True',
        CONFIG + " predict/test_every_method_labels.py",
    ),
    # Training.
    Fault(
        "fsar/model/backbone.py",
        "        if not torch.is_grad_enabled():\n",
        "        if False:\n",
        "model/test_text.py",
    ),
    Fault("fsar/training/setup.py", "wholly=not job.components.trains_text", "wholly=True", QUICK),
    Fault(
        "fsar/training/keep.py",
        'accuracy <= self.best["val_accuracy"]',
        'accuracy < self.best["val_accuracy"]',
        QUICK,
    ),
    Fault("fsar/training/step.py", "fabric.backward(outcome.total / len(own))", "fabric.backward(outcome.total)", STEP),
    Fault("fsar/training/step.py", "torch.manual_seed(_chance(seed, batch.number))", "pass", STEP),
    Fault(
        "fsar/training/loop.py", "learning_rate((step + 1) * tasks - 1, config)", "learning_rate(step, config)", STEP
    ),
    Fault("fsar/training/loop.py", "iteration // every > (iteration - tasks) // every", "iteration % every == 0", STEP),
    Fault("fsar/training/schedule.py", "bisect_right(config.milestones", "bisect_left(config.milestones", QUICK),
    Fault("fsar/training/schedule.py", "config.factors[passed - 1]", "config.factors[passed - 1] ** passed", QUICK),
    Fault("fsar/training/optimizer.py", '"bn" in name or "norm" in name', '"bn" in name', QUICK),
    Fault("fsar/training/optimizer.py", "eps=config.epsilon", "eps=1e-8", QUICK),
    Fault("fsar/training/optimizer.py", "config.head_learning_rate_factor * own", "own", QUICK),
    Fault(
        "fsar/training/checkpoint.py",
        "        with atomic(self.path) as temporary:\n            torch.save",
        "        for temporary in [self.path]:\n            torch.save",
        STEP,
    ),
    Fault("fsar/training/batch_norm.py", "self._kept_after(tasks - 1 - place)", "self._kept_after(place)", STEP),
    Fault("fsar/training/data.py", "is_query=number >= supports", "is_query=True", STEP),
    Fault("fsar/training/clips.py", "rng, training=True)", "rng, training=False)", STEP),
    Fault("fsar/training/validation.py", "        model.eval()\n", "", STEP),
    # Evaluation.
    Fault("fsar/evaluation/encode_videos.py", "            done += len(batch)\n", "", EVALUATION),
    Fault(
        "fsar/evaluation/encode_videos.py",
        "        num_workers=workers,\n        pin_memory",
        "        num_workers=workers,\n        drop_last=True,\n        pin_memory",
        EVALUATION,
    ),
    Fault("fsar/evaluation/predictions.py", ', ("way", "==", way)', "", EVALUATION),
    Fault("fsar/evaluation/predictions.py", ', ("shot", "==", shot)', "", EVALUATION),
    Fault(
        "fsar/evaluation/evaluate.py",
        "first + np.arange(count)",
        "np.arange(count)",
        "methods/test_adapters.py -k parts",
    ),
    Fault(
        "fsar/evaluation/evaluate.py",
        "np.repeat(np.arange(way), queries)",
        "np.tile(np.arange(way), queries)",
        EVALUATION,
    ),
    Fault(
        "fsar/evaluation/episode_logits.py",
        "                results[name][own] = videos",
        "                results[name][: len(videos)] = videos",
        EVALUATION,
    ),
    Fault("fsar/statistics/intervals.py", "quantile(len(values) - 1)", "quantile(len(values))", EVALUATION),
    Fault("fsar/statistics/intervals.py", "freedom, (1 + CONFIDENCE) / 2", "freedom, CONFIDENCE", EVALUATION),
    Fault(
        "fsar/evaluation/feature_file.py",
        'rows_of(about["video_ids"]), rows_of(about["class_names"])',
        'rows_of(about["class_names"]), rows_of(about["video_ids"])',
        EVALUATION,
    ),
    # Results.
    Fault(
        "fsar/results/accuracies.py",
        "right_by_episode(table) for table in tables]",
        "right_by_episode(table) for table in tables[:1]]",
        RESULTS,
    ),
    Fault("fsar/results/class_accuracy.py", "asked.true == asked.predicted", "asked.true != asked.predicted", RESULTS),
    Fault("fsar/statistics/videos.py", "None, :] - 2 * covariance", "None, :] - covariance", RESULTS),
    Fault("fsar/results/comparisons.py", "- self.accuracies\n", "- 2 * self.accuracies\n", RESULTS),
    Fault("fsar/results/comparisons.py", "np.abs(self.differences) > over_seeds", "True", RESULTS),
    Fault("fsar/statistics/intervals.py", "np.arange(len(p), 0, -1)", "len(p)", "evaluation/test_evaluation.py"),
    Fault("fsar/statistics/videos.py", "- own.sum()", "", "statistics/test_videos.py"),
    Fault("fsar/statistics/spanning.py", "mean = shared / pairs", "mean = 1.0", "statistics/test_videos.py"),
    Fault("fsar/statistics/variance.py", "count * classes.var", "classes.var", "statistics/test_videos.py"),
    Fault(
        "fsar/results/ranking.py",
        "stats.rankdata(-accuracies, axis=1)",
        "stats.rankdata(accuracies, axis=1)",
        RESULTS,
    ),
    Fault(
        "fsar/results/class_accuracy.py",
        "100 * rights[place].sum() / own",
        "100 * (rights[place][there] / queries[place][there]).mean()",
        RESULTS,
    ),
    Fault("fsar/results/layout_tables.py", "accuracy - value", "value - accuracy", RESULTS),
    Fault("fsar/results/layout_tables.py", "if latex and cell.leading", "if latex", RESULTS),
    Fault("fsar/results/headline.py", 'row["leading"] == "yes"', 'row["leading"] == ""', "results/test_index.py"),
    Fault(
        "fsar/results/over_deals.py",
        'for level in ("deal", "backbone"))',
        'for level in ("backbone", "deal"))',
        RESULTS,
    ),
    Fault(
        "fsar/results/published.py",
        'KEYS = ["method", "backbone", "benchmark", "way", "shot"]',
        'KEYS = ["method", "backbone", "benchmark", "shot", "way"]',
        RESULTS,
    ),
    Fault("fsar/results/table.py", "found.over_episodes[number]:", "found.over_videos[number] + 1:", RESULTS),
    # Labels for one's own clips.
    Fault("fsar/predict/calibrate.py", "values / np.exp(log_temperature)", "values * np.exp(log_temperature)", CHECK),
    Fault("fsar/predict/calibrate.py", "count < ENOUGH", "count <= ENOUGH", CHECK),
    Fault("fsar/predict/leave_out.py", "if i != place % len(own)]", "if i != 0]", CHECK),
    Fault(
        "fsar/predict/threshold.py",
        "(known[None, :] >= between[:, None]).mean(axis=1)",
        "(known[None, :] >= between[:, None]).mean(axis=0)",
        SPOT,
    ),
    Fault(
        "fsar/predict/decide.py",
        "return weight * self.by_text(queries, classes) * self._missing_scale() + (1 - weight)",
        "return weight * self.by_text(queries, classes) + (1 - weight)",
        CHECK,
    ),
    Fault("fsar/predict/timeline.py", "window.start + window.end) / 4", "window.start + window.end) / 2", SPOT),
    Fault("fsar/predict/timeline.py", "thousandths // 1000:02d", "thousandths // 60:02d", SPOT),
    Fault(
        "fsar/predict/check.py", "key=lambda pair: (-pair[1], pair[0])", "key=lambda pair: (pair[1], pair[0])", CHECK
    ),
    Fault("fsar/predict/support.py", "zip([0, *ends], ends", "zip(ends, ends", "predict/test_support.py"),
    # The config and the plan.
    Fault(
        "fsar/config/file.py",
        "list(dict.fromkeys((self.base(benchmark), benchmark)))",
        "list(dict.fromkeys((benchmark, self.base(benchmark))))",
        CONFIG,
    ),
    Fault(
        "fsar/config/config.py",
        'drawn.append(("val", training.way, shot, validated))',
        'drawn.append(("val", training.way, shot, training.queries))',
        CONFIG,
    ),
    Fault(
        "fsar/config/config.py",
        "needed[split] = max(needed[split], shot + queries)",
        "needed[split] = shot + queries",
        CONFIG,
    ),
    Fault("fsar/methods/recipes.py", "for place in (PUBLISHED, kind):", "for place in (kind, PUBLISHED):", CONFIG),
    Fault(
        "fsar/config/training.py",
        "devices = math.gcd(self.tasks_per_step // nodes, self.devices)",
        "devices = min(self.tasks_per_step // nodes, self.devices)",
        CONFIG,
    ),
    Fault("fsar/config/training.py", "default=[0.9, 0.999]", "default=[0.9, 0.99]", CONFIG),
    Fault("fsar/methods/hyrsm/recipe.toml", "epsilon = 2e-8\n", "", CONFIG),
    Fault(
        "fsar/plan/code.py",
        'return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]',
        "return [node.module]",
        "plan/test_code.py",
    ),
    Fault("fsar/plan/paths.py", r'r"-shot(\d+)$"', r'r"-shot(\d)$"', "plan/test_plan.py config/test_config.py"),
    Fault(
        "fsar/plan/paths.py",
        'return f"{number:03d}"',
        'return f"{number:02d}"',
        "plan/test_plan.py",
    ),
    Fault("fsar/plan/plan.py", "if only in (None, shot)", "if only is None", "plan/test_plan.py"),
    Fault(
        "fsar/plan/plan.py",
        "shot in (None, own)]",
        "shot is None]",
        "plan/test_plan.py config/test_config.py",
    ),
    Fault(
        "fsar/plan/plan.py",
        'drawn |= {("val", way, shot) for shot in config.training',
        'drawn |= {("test", way, shot) for shot in config.training',
        "plan/test_plan.py",
    ),
    Fault(
        "rules/inputs.smk",
        "/episodes/val-{way}way",
        "/episodes/test-{way}way",
        "workflow/test_workflow.py -k the_paper",
    ),
    Fault(
        "fsar/config/merged.py",
        "_reduced(section, {*decided.get(name, {}), *section.execution()})",
        "section",
        "config/test_settings.py",
    ),
    Fault("fsar/plan/plan.py", "parts.weights_of, of.training)", "UNTRAINED_MODEL, of.training)", "plan/test_plan.py"),
    Fault(
        "fsar/config/config.py",
        "trained_as(model) for model in asked",
        "model for model in asked",
        "plan/test_plan.py",
    ),
    Fault(
        "fsar/methods/linear_probe/logistic.py",
        "- targets + penalty * coefficients",
        "- targets + coefficients",
        "methods/test_baselines.py",
    ),
    Fault(
        "fsar/methods/tip_adapter/head.py",
        "slope = (logits.softmax(dim=-1) - own_class) / len(own_class)",
        "slope = logits.softmax(dim=-1) - own_class",
        "methods/test_baselines.py",
    ),
    Fault(
        "fsar/predict/decide.py",
        "self.head.support_together(own, text.unsqueeze(0))",
        "own",
        "predict/test_every_method_labels.py -k commands",
    ),
    Fault("fsar/methods/blocks/motion.py", "math.sqrt(share) * moves", "share * moves", "methods/test_motion.py"),
    Fault("fsar/methods/blocks/motion.py", "exact.mean(dim=-2", "exact.mean(dim=-1", "methods/test_motion.py"),
    Fault(
        "fsar/plan/records.py", "to_jsonable_python(own.value)", "own.value", "records/test_records.py -k every_method"
    ),
]
