"""The method once more, cell by cell in Python floats (64 bits): slow, plain, and sharing nothing with fsar/.

A video is a list of frames, a frame a list of numbers. Parameters come as nested lists, under the names of our modules.
"""

import math
from itertools import combinations


def dot(x, y):
    return sum(a * b for a, b in zip(x, y, strict=True))


def cosine(x, y, epsilon=0.01):
    return dot(x, y) / (math.sqrt(dot(x, x)) * math.sqrt(dot(y, y)) + epsilon)


def mean(vectors):
    return [sum(column) / len(vectors) for column in zip(*vectors, strict=True)]


def softmax(values):
    highest = max(values)
    powers = [math.exp(value - highest) for value in values]
    return [power / sum(powers) for power in powers]


def linear(x, weight, bias=None):
    out = [dot(row, x) for row in weight]
    return out if bias is None else [a + b for a, b in zip(out, bias, strict=True)]


def layer_norm(x, weight, bias):
    average = sum(x) / len(x)
    deviation = math.sqrt(sum((a - average) ** 2 for a in x) / len(x) + 1e-5)
    return [(a - average) / deviation * w + b for a, w, b in zip(x, weight, bias, strict=True)]


def gelu(a):
    return a * 0.5 * (1 + math.erf(a / math.sqrt(2)))


def distances(query, prototype):
    return [[1 - cosine(q, p) for p in prototype] for q in query]


def transpose(table):
    return [list(column) for column in zip(*table, strict=True)]


def otam(table, smoothing):
    """The recurrence as it is written."""

    def softmin(*costs):
        lowest = min(costs)
        return lowest - smoothing * math.log(sum(math.exp((lowest - cost) / smoothing) for cost in costs))

    rows = [[0.0, *row, 0.0] for row in table]
    cost = [[0.0] * len(rows[0]) for _ in rows]
    last = len(rows[0]) - 1
    for m in range(1, last + 1):
        cost[0][m] = cost[0][m - 1] + rows[0][m]
    for i in range(1, len(rows)):
        for m in range(1, last + 1):
            options = [cost[i - 1][m - 1], cost[i][m - 1]]
            if m in (1, last):
                options.append(cost[i - 1][m])
            cost[i][m] = rows[i][m] + softmin(*options)
    return cost[-1][-1]


def positions(frames, width):
    table = [[0.0] * width for _ in range(frames)]
    for t in range(frames):
        for i in range(width):
            angle = t / 10000 ** (2 * (i // 2) / width)
            table[t][i] = 0.1 * (math.sin(angle) if i % 2 == 0 else math.cos(angle))
    return table


def trx(query, shots, parameters):
    """Query and several support videos of one class, against one another (cardinalities 2 and 3)."""
    of_each = []
    for cardinality in (2, 3):
        start = f"relations.{cardinality}."
        p = {k.removeprefix(start): v for k, v in parameters.items() if k.startswith(start)}
        p["value.bias"] = [0.3 - 0.1 * i for i in range(len(p["value.weight"]))]  # whatever it is: it cancels

        def tuples(video, cardinality=cardinality):
            placed = [
                [a + b for a, b in zip(frame, where, strict=True)]
                for frame, where in zip(video, positions(len(video), len(video[0])), strict=True)
            ]
            choices = combinations(range(len(video)), cardinality)
            return [[a for i in chosen for a in placed[i]] for chosen in choices]

        def key(t, p=p):
            return layer_norm(linear(t, p["key.weight"], p["key.bias"]), p["norm.weight"], p["norm.bias"])

        def value(t, p=p):
            return linear(t, p["value.weight"], p["value.bias"])

        support = [t for video in shots for t in tuples(video)]
        keys, values = [key(t) for t in support], [value(t) for t in support]
        asked = tuples(query)
        total = 0.0
        for t in asked:
            weights = softmax([dot(key(t), k) / math.sqrt(len(k)) for k in keys])
            found = [sum(w * v[i] for w, v in zip(weights, values, strict=True)) for i in range(len(values[0]))]
            total += sum((a - b) ** 2 for a, b in zip(value(t), found, strict=True))
        of_each.append(total / len(asked))
    return sum(of_each) / len(of_each)


def distance(metric, query, prototype, smoothing=0.5):
    """Every metric that compares two videos."""
    table = distances(query, prototype)
    if metric == "otam":
        return otam(table, smoothing) + otam(transpose(table), smoothing)
    if metric == "otam_one_way":
        return otam(table, smoothing)
    if metric == "bi_mhm":
        return sum(min(row) for row in table) + sum(min(column) for column in transpose(table))
    if metric == "mean_cosine":
        return len(query) * (1 - cosine(mean(query), mean(prototype)))
    score = alike(metric, [[1 - d for d in row] for row in table])
    return -score if metric == "mean_pairs" else len(query) * (1 - score)


def alike(metric, table):
    """The metrics of Chamfer++'s public code, of cosines: a row for each frame of the query."""
    columns = transpose(table)
    nearest = [sum(max(row) for row in rows) / len(rows) for rows in (table, columns)]
    return {
        "mean_pairs": sum(map(sum, table)) / len(table),
        "max_pair": max(map(max, table)),
        "diagonal": sum(row[i] for i, row in enumerate(table) if i < len(row)) / len(table),
        "chamfer_query": nearest[0],
        "chamfer_support": nearest[1],
        "chamfer": sum(nearest) / 2,
    }[metric]


def transformer(tokens, layers, heads):
    """A stack of layers over one video's tokens."""
    for p in layers:
        normed = [layer_norm(x, p["norm.weight"], p["norm.bias"]) for x in tokens]
        q, k, v = ([linear(x, p[f"{name}.weight"]) for x in normed] for name in ("query", "key", "value"))
        size = len(tokens[0]) // heads
        attended = []
        for i in range(len(tokens)):
            joined = []
            for h in range(heads):
                part = slice(h * size, (h + 1) * size)
                weights = softmax([dot(q[i][part], k[j][part]) / math.sqrt(size) for j in range(len(tokens))])
                joined += [sum(w * v[j][c] for j, w in enumerate(weights)) for c in range(part.start, part.stop)]
            attended.append(linear(joined, p["output.weight"], p["output.bias"]))
        tokens = [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(attended, tokens, strict=True)]
        fed = []
        for x in tokens:
            hidden = [gelu(a) for a in linear(x, p["expand.weight"], p["expand.bias"])]
            fed.append(linear(hidden, p["contract.weight"], p["contract.bias"]))
        tokens = [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(fed, tokens, strict=True)]
    return tokens


def prototype(shots, text, layers, heads, merge):
    """The prototype of one class: T frames."""
    frames = len(shots[0])
    if merge == "before":
        merged = [mean([shot[t] for shot in shots]) for t in range(frames)]
        return transformer([*merged, text], layers, heads)[:frames]
    each = [transformer([*shot, text], layers, heads)[:frames] for shot in shots]
    return [mean([shot[t] for shot in each]) for t in range(frames)]


def text_probabilities(query, texts, scale):
    return softmax([scale * cosine(mean(query), text, epsilon=0.0) for text in texts])


def combined_probabilities(query, texts, scale, class_distances, beta):
    """The paper's † (Eq. 7), for 8 frames."""
    few_shot = softmax([(8 - d) / 8 for d in class_distances])
    text = text_probabilities(query, texts, scale)
    return [t**beta * f ** (1 - beta) for t, f in zip(text, few_shot, strict=True)]
