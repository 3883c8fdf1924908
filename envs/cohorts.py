"""Environments of the named data sets: data set, then encoding, then environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from envs.record_env import ActionSpace, RecordEnv, RewardFn
from rlsyn.chow_liu import TreeDensity
from rlsyn.datasets import from_table, load, read_table
from rlsyn.encoding import Encoding


def make_record_env(
    dataset: str,
    data_dir: str | Path | None = None,
    csv: str | Path | None = None,
    label: str | None = None,
    group: str | None = None,
    drop: Sequence[str] = (),
    action_space: ActionSpace = "discrete",
    reward_fn: RewardFn | Literal["likelihood"] | None = None,
    n_levels: int = 32,
    order: str | Sequence[str] = "label_first",
    seed: int = 0,
    reader_options: Mapping[str, Any] | None = None,
    **env_kwargs: Any,
) -> RecordEnv:
    """The environment of a data set, what `gymnasium.make(id)` returns.

    Args:
        dataset: Environment id.
        data_dir: Folder of the real release, for the cohorts.
        csv: For `Table-v0`: the file.
        label: For `Table-v0`: the outcome column.
        group: For `Table-v0`: the column that identifies the person a row belongs to.
        drop: For `Table-v0`: columns to leave out.
        action_space: `"discrete"` or `"box"`.
        reward_fn: Scores finished records; by default 0. `"likelihood"`, for tools that can name a reward but not hand one
            over (rl_zoo3), is the log-likelihood per attribute, in nats, of the record under a tree of dependences
            fitted to the training rows (`rlsyn.chow_liu.TreeDensity`). It does not move, so its best policy fills in
            the likeliest record again and again: a yardstick for algorithms, not a way to synthetic data, which takes
            a discriminator that learns along.
        n_levels: Levels of a finely valued column.
        order: Fill order, see `Encoding.fit`.
        seed: Seed of the split into train and test, and of a random order; the levels are those of the training rows.
        reader_options: With `data_dir`: options of the reader of the release, by name.
        env_kwargs: Further arguments of `RecordEnv`.

    Raises:
        ValueError: See `rlsyn.datasets.load` and `Encoding.fit`; or there is no reward of that name; or
            csv with another id than `Table-v0`, or label, group or drop without csv.
        TypeError: See `RecordEnv`.
    """
    if isinstance(reward_fn, str) and reward_fn != "likelihood":
        raise ValueError(f"reward_fn must be a function of records, 'likelihood' or None, got {reward_fn!r}.")
    if csv is not None and dataset != "Table-v0":
        raise ValueError(f"csv goes with Table-v0, got it with {dataset}.")
    given = {"label": label is not None, "group": group is not None, "drop": len(drop) > 0}
    if csv is None and any(given.values()):
        first = next(name for name, is_given in given.items() if is_given)
        raise ValueError(
            f"{first} goes with csv, got it with {dataset} and no csv. Leave it out, or give Table-v0 a csv."
        )
    if csv is None:
        data = load(dataset, data_dir, seed, reader_options=reader_options)
    else:
        data = from_table(read_table(csv, drop), label, group, seed=seed)
    encoding = Encoding.fit(data.train, data.schema, n_levels, order, seed)
    if isinstance(reward_fn, str):
        reward_fn = TreeDensity(encoding.encode(data.train), encoding.n_levels)
    return RecordEnv(
        encoding.n_levels,
        reward_fn,
        action_space,
        marginals=encoding.marginals(),
        names=encoding.names,
        labels=[levels.labels() for levels in encoding.levels],
        allowed=encoding.repair.allowed_levels(),
        **env_kwargs,
    )
