"""RLSyn, the public class: fit a table, sample synthetic records, save and load."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import MaybeCallback

from rlsyn.algorithms.making import Making
from rlsyn.algorithms.options import tell_start_from_scratch, with_effect
from rlsyn.algorithms.table import algorithm
from rlsyn.arguments import check_seed
from rlsyn.calibration import calibrate_marginals
from rlsyn.callbacks import CheckpointCallback, DiscriminatorCallback, MonitorCallback, own_callbacks
from rlsyn.checkpoints import read_checkpoint, write_checkpoint
from rlsyn.device import torch_device
from rlsyn.discriminator import Discriminator, DiscriminatorTrainer
from rlsyn.doubts import doubts
from rlsyn.encoding import Encoding
from rlsyn.files import latest_checkpoint
from rlsyn.parameters import check_folds, check_parameters, check_timesteps, resolved, validation_share
from rlsyn.policy import AutoregressivePolicy
from rlsyn.randomness import global_seed
from rlsyn.rewards.assembly import assemble_reward, no_reward
from rlsyn.rewards.own import OwnTerm, name_terms, terms_at_hand
from rlsyn.rewards.realism import RealismReward, RewardForm
from rlsyn.rewards.total import TotalReward
from rlsyn.rewards.trees import TreesReward
from rlsyn.rewards.weights import merge_weights
from rlsyn.sampling import Rules, draw_table
from rlsyn.schema import Schema, given_or_inferred
from rlsyn.selection import Criterion, Selected, suffices
from rlsyn.training import Training
from rlsyn.training_folder import checkpoint_of, config_text, read_encoding, write_config
from rlsyn.warm_start import WarmStartResult, behaviour_clone, choose_people

_log = logging.getLogger(__name__)

N_ROLLOUTS = 150
"""Rollouts of the default training."""


class RLSyn:
    """Synthetic records by reinforcement learning: a policy fills in records, a discriminator rewards it.

    Training clones the real records (`warm_start`), trains a discriminator against the cloned policy, and then lets
    PPO improve the policy by the discriminator's reward, held to the warm start by a KL penalty. Other algorithms take
    PPO's place by name (`algo`); those with a policy of their own start from scratch, and are not selected.

    Args:
        n_levels: Levels of a finely valued column; the rest of a value is drawn inside its level.
        n_thresholds: Of a column at most: values at which a category sets in (`rlsyn.thresholds`), kept sharp; 0 for none.
        order: Order in which attributes are filled in: `"label_first"`, `"label_last"`, `"table"`, `"information"`
            (each tells most about one before it), `"random"`, or names of columns that come first (conditions on them
            are exact, see `sample`).
        algo: One of `rlsyn.algorithms.table.ALGORITHMS`.
        algo_kwargs: Arguments of its class, over the `defaults` of its entry there.
        total_timesteps: Environment steps of PPO (records x attributes); by default 150 rollouts; 0 for none.
        max_seconds: Seconds of a fit after which no rollout begins any more; then a fit cannot be repeated exactly.
        n_records: Records per rollout.
        batch_records: Records per minibatch of PPO.
        warm_start: Whether to clone the real records first; by default where the algorithm can.
        kl_coef: Weight of KL(policy || warm start) per step, in the place of an entropy bonus. Algorithms that start
            from scratch have it as weight of the entropy or temperature of the draws, where they have one.
        reward: `"logit"`, `"sigmoid"` or `"log_sigmoid"` of the discriminator.
        rewards: Reward terms of your own: functions of a table of decoded records that return a number for each, high
            = good; their names stand for them in `reward_weights`, in curves and in a saved model.
        reward_weights: By term: `"realism"` (the discriminator, 1), `"trees"` (a forest beside it, 1), `"constraints"`
            (declared rules broken, 1), `"privacy"` (nearer to a training row than people are, 0), your own (1).
        n_discriminator_steps: Discriminator steps per rollout.
        n_discriminator_warm_up: Discriminator steps before PPO begins.
        discriminator_batch_size: Rows per discriminator step, real and synthetic each.
        policy_kwargs: Arguments of `AutoregressivePolicy`, or of the algorithm's own policy.
        discriminator_kwargs: Arguments of `Discriminator`.
        warm_start_kwargs: Arguments of `behaviour_clone`.
        ppo_kwargs: The former name of `algo_kwargs`, for PPO.
        rollout_buffer_kwargs: Arguments of `RecordRolloutBuffer`.
        average_decay: Share of the old weights in the average of the policy over rollouts; 0 for the last weights.
        select: Whether to keep the policy that the people who validate all cloning, then unseen by the discriminator,
            speak best of, or PPO's last; by default where they suffice, without reward terms of your own.
        temperature: Of `sample`.
        seed: Seed of everything random in `fit` and, unless it gets its own, `sample`.
        device: `"auto"`, `"cpu"` or `"cuda"`.

    Raises:
        ValueError: An unknown name (the closest known one is proposed) or an impossible value.

    Example:
        >>> import pandas as pd
        >>> train = pd.DataFrame({"age": [47, 52, 68] * 20, "sex": ["f", "m"] * 30, "died": [0] * 40 + [1] * 20})
        >>> model = RLSyn(seed=0, n_records=64, total_timesteps=2 * 64 * 3).fit(train, label="died")
        >>> model.sample(5, where={"died": 1})["died"].tolist()
        [1, 1, 1, 1, 1]
    """

    method = "rlsyn"

    def __init__(
        self,
        *,
        n_levels: int = 32,
        n_thresholds: int = 8,
        order: str | Sequence[str] = "label_first",
        algo: str = "ppo",
        algo_kwargs: Mapping[str, Any] | None = None,
        total_timesteps: int | None = None,
        max_seconds: float | None = None,
        n_records: int = 1024,
        batch_records: int = 512,
        warm_start: bool | None = None,
        kl_coef: float = 0.1,
        reward: RewardForm = "logit",
        rewards: Sequence[OwnTerm | str] | None = None,
        reward_weights: Mapping[str, float] | None = None,
        n_discriminator_steps: int = 10,
        n_discriminator_warm_up: int = 300,
        discriminator_batch_size: int = 256,
        policy_kwargs: Mapping[str, Any] | None = None,
        discriminator_kwargs: Mapping[str, Any] | None = None,
        warm_start_kwargs: Mapping[str, Any] | None = None,
        ppo_kwargs: Mapping[str, Any] | None = None,
        rollout_buffer_kwargs: Mapping[str, Any] | None = None,
        average_decay: float = 0.0,
        select: bool | None = None,
        temperature: float = 1.0,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        check_parameters(RLSyn, given)
        self.parameters, self.algorithm = resolved(given), algorithm(algo)
        own = name_terms(rewards or ())
        self.reward_weights = merge_weights(reward_weights, own)
        self.rewards = {name: term for name, term in own.items() if self.reward_weights[name]}
        self.parameters |= {"rewards": list(own), "reward_weights": self.reward_weights}
        self.n_levels, self.n_thresholds, self.order = n_levels, n_thresholds, order
        self.total_timesteps, self.seed, self.device = total_timesteps, seed, torch_device(device)
        self.n_records, self.batch_records, self.kl_coef, self.reward = n_records, batch_records, kl_coef, reward
        self.warm_start, self.algo_kwargs = self.parameters["warm_start"], self.parameters["algo_kwargs"]
        self.n_discriminator_steps, self.temperature, self.max_seconds = n_discriminator_steps, temperature, max_seconds
        self.n_discriminator_warm_up, self.discriminator_batch_size = n_discriminator_warm_up, discriminator_batch_size
        self.policy_kwargs, self.discriminator_kwargs = dict(policy_kwargs or {}), dict(discriminator_kwargs or {})
        self.warm_start_kwargs, self.average_decay = dict(warm_start_kwargs or {}), average_decay
        self.rollout_buffer_kwargs, self.select = dict(rollout_buffer_kwargs or {}), select
        self.warm_start_result: WarmStartResult | None = None
        self.acceptance_rate = self.rule_acceptance = 1.0
        self._encoding: Encoding | None = None
        self._training: Training | None = None

    @property
    def encoding(self) -> Encoding:
        """The encoding of the training table.

        Raises:
            RuntimeError: Before `fit`.
        """
        if self._encoding is None:
            raise RuntimeError("The model has not been fitted. Call fit() or RLSyn.load() first.")
        return self._encoding

    @property
    def schema(self) -> Schema:
        """The schema of the training table; raises RuntimeError before `fit`."""
        return self.encoding.schema

    @property
    def training(self) -> Training:
        """The algorithm and all that learned beside it; raises RuntimeError before `fit`."""
        if self._training is None:
            raise RuntimeError("The model has not been fitted. Call fit() or RLSyn.load() first.")
        return self._training

    @property
    def model(self) -> BaseAlgorithm:
        """The Stable-Baselines3 algorithm; raises RuntimeError before `fit`."""
        return self.training.model

    @property
    def policy(self) -> AutoregressivePolicy:
        """The fast policy; raises RuntimeError before `fit`, TypeError where the algorithm has one of its own."""
        return self.training.policy

    @property
    def selected(self) -> Selected:
        """What selection scored, and chose; raises RuntimeError before `fit`."""
        return self.training.actors.selected

    def fit(
        self,
        train: pd.DataFrame,
        label: str | None = None,
        group: str | None = None,
        *,
        schema: Schema | None = None,
        run_dir: str | Path | None = None,
        resume: bool = False,
        progress_bar: bool = False,
        title: str = "",
        callback: MaybeCallback = None,
    ) -> RLSyn:
        """Learn a table.

        Args:
            train: Training rows.
            label: The outcome column, if there is one.
            group: The column that identifies the person a row belongs to.
            schema: The columns; inferred from the rows by default.
            run_dir: Folder for TensorBoard events, `progress.csv` and checkpoints; nothing is written by default.
            resume: Whether to go on from the last checkpoint in `run_dir`.
            progress_bar: Whether to show one.
            title: What the pictures in TensorBoard are titled with.
            callback: Of your own, as Stable-Baselines3 takes them: one callback, a list, or a function.

        Returns:
            The fitted model itself.

        Raises:
            ValueError: The table cannot be learned from (see `rlsyn.schema.infer_schema`), or `total_timesteps` is
                smaller than one rollout, or a reward term of your own does not return a finite number for each record,
                or `run_dir` holds another training, or a parameter that cannot be written there.
            TypeError: The callback is none.
        """
        own = own_callbacks(callback)
        if resume and run_dir is None:
            raise ValueError("resume goes on from a run_dir, got none. Give fit(..., run_dir=...).")
        deadline = None if self.max_seconds is None else time.monotonic() + self.max_seconds
        schema = given_or_inferred(train, label, group, schema)
        encoding = self.prepare(train, schema)
        about = config_text(self.method, self.parameters) if run_dir else ""
        checkpoint = checkpoint_of(Path(run_dir), about, encoding, resume) if run_dir else None
        for doubt in (*doubts(train, schema), *encoding.repair.doubts(train)):
            _log.warning(doubt)
        records = encoding.encode(train)
        people = pd.factorize(train[schema.group], sort=True)[0] if schema.group else np.arange(len(train))
        share, rng = validation_share(self.warm_start_kwargs), np.random.default_rng(self.seed)
        is_validation = choose_people(people, share, rng)
        can_select = self.algorithm.is_fast and not self.rewards
        selects = can_select and suffices(people[is_validation]) if self.select is None else self.select
        # What validates in the end is to be unknown to every part of the reward.
        seen = ~is_validation if selects else np.full(len(train), True)
        how = self.seed, not self.rewards, self.temperature
        with global_seed(self.seed):
            self._build(encoding, records[seen])
            criterion = Criterion(encoding, train[seen], train[~seen], *how) if selects else None
            reward = self._set_reward(records[seen], people[seen])
            if checkpoint is not None:
                self._load_state(read_checkpoint(checkpoint, self.device))
            elif self.warm_start:
                self._clone(records, people)
            else:
                tell_start_from_scratch(self.algorithm, self.warm_start_kwargs)
            callbacks = self.training.callbacks(reward)
            callbacks += [*self._callbacks(train, criterion, run_dir, title), *own]
            # What goes on from a warm start alone has not met the discriminator yet.
            if self._total_timesteps() and not self.training.discriminator.pool:
                self.training.warm_up(self.n_discriminator_warm_up)
            try:
                self._learn(callbacks, run_dir, deadline, progress_bar)
            finally:
                # An interrupt must not lose the run.
                if run_dir is not None:
                    self._save_state(Path(run_dir), self.model.num_timesteps)
        return self

    def prepare(self, train: pd.DataFrame, schema: Schema) -> Encoding:
        """The encoding that `fit` would use, after all checks that `fit` would make; nothing is learned.

        Raises:
            ValueError: As `fit`.
        """
        terms_at_hand(self.rewards)
        check_timesteps(self.total_timesteps, self.n_records, len(schema.columns))
        encoding = Encoding.fit(train, schema, self.n_levels, self.order, self.seed, self.n_thresholds)
        check_folds(train[schema.group].nunique() if schema.group else len(train), self.warm_start_kwargs)
        encoding.repair.allowed_levels()
        return encoding

    def sample(
        self,
        n: int,
        where: Mapping[str, Any] | None = None,
        seed: int | None = None,
        policy: str = "trained",
        max_draws: int | None = None,
        rules: Rules = "obey",
        temperature: float | None = None,
    ) -> pd.DataFrame:
        """Draw synthetic records.

        Conditions on the attributes that come first in fill order (`order`) are exact: those are set, the rest follows
        the policy's conditional distribution. Other conditions are met by drawing records and keeping those that fit;
        `acceptance_rate` then tells the share that did. No record breaks a rule of the schema: values follow from each
        other where a rule says so, and of the records that break another, which others are drawn for,
        `rule_acceptance` tells the share that did not.

        Args:
            n: Number of records.
            where: Values that columns must have. A number stands for its level; the value itself is then set.
            seed: Seed of the draws; that of the model by default. The same seed gives the same records.
            policy: `"trained"` (the selected one, or the last), `"last"` (PPO's last) or `"warm_start"` (before PPO).
            max_draws: Records drawn at most to meet conditions and rules, by default 1,000 for each wanted, a million
                (or 20 for each) at most.
            rules: `"obey"`; or `"keep"`: records stay as the policy fills them in, those that break a rule too.
            temperature: What logits are divided by, that of the constructor by default: 1 as learned, lower for more
                typical and higher for more unusual records.

        Returns:
            A table with the columns, kinds, categories and decimals of the training table.

        Raises:
            ValueError: `n` below 1, no seed, a temperature of 0 or below, an unknown column, category or policy, or too few
                records met the conditions or obeyed the rules.
            RuntimeError: Before `fit`.
        """
        heat = self.temperature if temperature is None else temperature
        if isinstance(heat, bool | str) or not heat > 0:
            raise ValueError(f"temperature must be a number above 0, got {heat!r}.")
        check_seed(seed := self.seed if seed is None else seed)
        rng = np.random.default_rng(seed)
        draw = self.training.actors.draw_fn(policy, int(rng.integers(2**62)), heat)
        draws = draw_table(draw, self.encoding, n, rng, where, rules, max_draws)
        self.acceptance_rate, self.rule_acceptance = draws.acceptance_rate, draws.rule_acceptance
        return draws.table(n)

    def save(self, path: str | Path) -> None:
        """Write the fitted model into a folder; `load` reads it.

        The files hold no training row, but they are derived from patients' data: guard them as you guard those.

        Raises:
            RuntimeError: Before `fit`.
            ValueError: A function or a class among the parameters, or the folder is that of a run of run_ppo.py.
        """
        folder, n_steps = Path(path), self.model.num_timesteps
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder, config_text(self.method, self.parameters), self.schema)
        self._save_state(folder, n_steps, keep=1)

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> RLSyn:
        """The model in a folder that `save` wrote, or in a run directory. Nothing is unpickled.

        Raises:
            FileNotFoundError: The folder holds no saved model, or a part of one.
            ValueError: It is damaged, or another version of the project wrote it.
        """
        folder = Path(path)
        checkpoint = latest_checkpoint(folder)
        if not (folder / "config.yaml").is_file() or checkpoint is None:
            raise FileNotFoundError(
                f"Expected a saved model or a run directory with a checkpoint, found none in {folder}."
            )
        # Before all else: what another version wrote is refused in words.
        state = read_checkpoint(checkpoint, torch_device(device))
        given = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["parameters"]
        defaults = {name: parameter.default for name, parameter in signature(cls).parameters.items()}
        parameters = with_effect(algorithm(given.get("algo", "ppo")), given, "config.yaml", defaults)
        model = cls(**{**parameters, "device": device})
        encoding = read_encoding(checkpoint)
        with global_seed(model.seed):
            model._build(encoding, np.zeros((1, len(encoding.levels)), dtype=np.int64))
            model._load_state(state)
        return model

    def _build(self, encoding: Encoding, records: np.ndarray) -> None:
        """Environment, discriminator and an unmodified algorithm; nothing of an earlier fit stays."""
        self._encoding, self.warm_start_result = encoding, None
        discriminator = Discriminator(encoding, **self.discriminator_kwargs)
        trainer = DiscriminatorTrainer(discriminator, records, self.discriminator_batch_size, self.device, self.seed)
        trees = TreesReward(encoding, records, self.seed)
        making = Making(
            encoding,
            no_reward,
            n_records=self.n_records,
            batch_records=self.batch_records,
            kl_coef=self.kl_coef,
            policy_kwargs=self.policy_kwargs,
            buffer_kwargs=self.rollout_buffer_kwargs,
            algo_kwargs=self.algo_kwargs,
            device=self.device,
        )
        learner = DiscriminatorCallback(trainer, self.n_discriminator_steps)
        self._training = Training(self.algorithm, making, trainer, learner, trees, self.average_decay)

    def _set_reward(self, records: np.ndarray, people: np.ndarray) -> TotalReward:
        assert self.model.env is not None
        realism = RealismReward(self.training.trainer.discriminator, self.reward)
        terms = (self.reward_weights, self.rewards)
        reward = assemble_reward(realism, self.training.trees, self.encoding, *terms, records, people)
        self.model.env.set_attr("reward_fn", reward)
        return reward

    def _total_timesteps(self) -> int:
        default = N_ROLLOUTS * self.n_records * len(self.encoding.levels)
        return default if self.total_timesteps is None else self.total_timesteps

    def _clone(self, records: np.ndarray, people: np.ndarray) -> None:
        arguments = {"seed": self.seed, **self.warm_start_kwargs}
        self.warm_start_result = behaviour_clone(self.policy, records, people, **arguments)
        calibrate_marginals(self.policy, self.encoding.marginals())
        self.policy.set_reference()
        _log.info(
            "Warm start: validation log-likelihood per attribute %.3f (independent attributes %.3f).",
            self.warm_start_result.log_likelihood,
            self.warm_start_result.log_likelihood_marginals,
        )

    def _callbacks(
        self, train: pd.DataFrame, criterion: Criterion | None, run_dir: str | Path | None, title: str
    ) -> list[BaseCallback]:
        callbacks = self.training.actors.callbacks(criterion)
        if run_dir is not None:
            callbacks.append(MonitorCallback(self.encoding, train, title=title, seed=self.seed))
            callbacks.append(CheckpointCallback(lambda n_steps: self._save_state(Path(run_dir), n_steps)))
        return callbacks

    def _learn(
        self, callbacks: list[BaseCallback], run_dir: str | Path | None, deadline: float | None, progress_bar: bool
    ) -> None:
        actors = self.training.actors
        actors.is_finished &= self._total_timesteps() <= self.model.num_timesteps
        if actors.is_finished:
            return
        self.training.run(self._total_timesteps(), callbacks, run_dir, deadline, progress_bar)
        # Terms of the user's own may be meant to move marginals.
        if not self.rewards:
            actors.calibrate(self.encoding.marginals())
        actors.is_finished = True

    def _save_state(self, folder: Path, n_steps: int, keep: int = 2) -> None:
        # An interrupted rollout does not count: no update has seen it.
        n_steps -= n_steps % self.training.rollout
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        if not (folder / "config.yaml").exists():
            write_config(folder, config_text(self.method, self.parameters), self.schema)
        self.encoding.write(folder / "checkpoints" / "encoding.json")
        write_checkpoint(folder, self.training.state(self.warm_start_result, n_steps), n_steps, keep)

    def _load_state(self, state: dict[str, Any]) -> None:
        self.warm_start_result = self.training.restore(state)
