"""The stochastic policy that fills in records: an SB3 actor-critic policy over levels."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from rlsyn.encoding import Encoding
from rlsyn.entropy_target import EntropyTarget
from rlsyn.level_masks import LevelMasks
from rlsyn.levels import Head
from rlsyn.networks.architectures import Network, make_heads, make_network
from rlsyn.networks.attribute_network import AttributeNetwork, Memory, column_major
from rlsyn.networks.autoregressive import IMPOSSIBLE, LevelHeads


class Actor(nn.Module):
    """A distribution over records, attribute by attribute: level heads, and the network whose outputs they take.

    Args:
        heads: Before training the policy draws each attribute from its marginal.
        network: Its outputs are zero at first.
    """

    def __init__(self, heads: LevelHeads, network: AttributeNetwork) -> None:
        super().__init__()
        self.heads, self.network = heads, network

    def forward(self, vectors: Tensor, dropout: float = 0.0) -> list[Tensor]:
        """Log-probabilities of all levels of all attributes, by bucket (`LevelHeads.forward`)."""
        log_probabilities: list[Tensor] = self.heads(self.network(vectors, dropout))
        return log_probabilities

    def linear(self, vectors: Tensor) -> list[Tensor]:
        """What `forward` gives while the hidden layers are silent, as they are in a new actor."""
        log_probabilities: list[Tensor] = self.heads(self.network.linear(vectors))
        return log_probabilities

    def linear_parameters(self) -> list[tuple[Tensor, Tensor]]:
        """The weights of the linear path, each with the attribute that its rows belong to: no two share a row."""
        return [(self.network.direct.weight, self.network.out_attribute), *self.heads.parameters_by_attribute()]

    def step_logits(self, vectors: Tensor, memory: Memory, attribute: int, temperature: float = 1.0) -> Tensor:
        """Logits `(n, n_levels)` of one attribute; see `AttributeNetwork.step`."""
        return self.heads.step_logits(self.network.step(vectors, memory, attribute), attribute, temperature)


@dataclass
class _Prefix:
    """Records being filled in, with what the networks have computed of them."""

    observations: Tensor
    vectors: Tensor
    actor: Memory
    critic: Memory
    position: int = 0


class AutoregressivePolicy(ActorCriticPolicy):
    """An SB3 policy that knows that an episode fills in a record.

    Sampling keeps what the networks computed between steps, so that a record costs one forward pass in all; training
    gets log-probabilities, values and relative entropies of all steps of a record from one pass. Actor and critic share
    no weights, so the value loss cannot disturb a warm-started actor. There is no dropout unless `log_probabilities` is
    asked for it, so old and new log-probabilities agree.

    In the place of the entropy, `evaluate_actions` returns -KL(policy || reference) per step, so SB3's `ent_coef` is
    the weight of the KL penalty. The reference is the policy at the last call of `set_reference`. With an entropy
    target, what `rlsyn.entropy_target` pays is added, so its weight is in units of `ent_coef`, which must not be 0.

    Levels that break a declared rule about their column alone are never chosen. `log_probabilities`, which cloning
    maximises, knows no such masks: real rows that break a rule still teach the rest.

    Args:
        observation_space: That of the record environment.
        action_space: That of the discrete record environment.
        lr_schedule: SB3's learning-rate schedule.
        encoding: What the levels are.
        network: Of the actor: `"made"`, `"plain_made"` (without its residual connection) or `"transformer"`; the critic
            is a MADE in any case.
        head: What the actor says about finely valued columns: `"ordinal"` (functions smooth in the rank), `"free"` (a
            logit for each level) or `"mixture"` (of discretised logistic distributions).
        n_hidden: Units per hidden layer of the actor, by default three per attribute, within 256 and 1,024; of a
            transformer the width of its tokens, by default 32.
        n_hidden_critic: Units per hidden layer of the critic.
        entropy_target: Share of the reference's entropy per attribute that PPO is paid to keep; none by default.
        optimizer_kwargs: Arguments of the optimizer, over SB3's (Adam with an `eps` of 1e-5).
        kwargs: Further arguments of `ActorCriticPolicy`.
    """

    _in_attribute: Tensor
    _table: Tensor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        encoding: Encoding,
        network: Network = "made",
        head: Head = "ordinal",
        n_hidden: int | None = None,
        n_hidden_critic: int = 128,
        entropy_target: float | None = None,
        optimizer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.encoding, self.head = encoding, head
        self._network, self._n_hidden, self._n_hidden_critic = network, n_hidden, n_hidden_critic
        self._entropy_share = entropy_target
        self._prefix: _Prefix | None = None
        if optimizer_kwargs is not None and kwargs.get("optimizer_class", torch.optim.Adam) is torch.optim.Adam:
            optimizer_kwargs = {"eps": 1e-5, **optimizer_kwargs}  # SB3 sets it only where none is given
        super().__init__(observation_space, action_space, lr_schedule, optimizer_kwargs=optimizer_kwargs, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        in_attribute, table = self.encoding.inputs()
        self.n_attributes = len(self.encoding.levels)
        self.register_buffer("_in_attribute", torch.as_tensor(in_attribute), persistent=False)
        self.register_buffer("_table", torch.as_tensor(table), persistent=False)
        self._columns = np.searchsorted(in_attribute, np.arange(self.n_attributes + 1)).tolist()
        heads = make_heads(self.head, self.encoding.levels, self.encoding.marginals())
        self.actor = Actor(heads, make_network(self._network, in_attribute, heads.out_sizes, self._n_hidden))
        self.reference = deepcopy(self.actor).requires_grad_(False)
        self.masks = LevelMasks(self.actor.heads, self.encoding.repair.allowed_levels())
        self.critic = make_network("made", in_attribute, [1] * self.n_attributes, self._n_hidden_critic)
        self.entropy_target = None if self._entropy_share is None else EntropyTarget(self._entropy_share)
        is_plain = self.optimizer_class in (torch.optim.Adam, torch.optim.AdamW)
        # torch knows of three ways, of which only one may be asked for.
        fused = {"fused": True} if is_plain and not {"foreach", "differentiable"} & {*self.optimizer_kwargs} else {}
        self.optimizer = self.optimizer_class(
            [*self.actor.parameters(), *self.critic.parameters()],
            lr=lr_schedule(1),  # type: ignore[call-arg]  # the base class of optimizers takes none
            **{**fused, **self.optimizer_kwargs},
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        parameters = super()._get_constructor_parameters()
        return parameters | {
            "encoding": self.encoding,
            "network": self._network,
            "head": self.head,
            "n_hidden": self._n_hidden,
            "n_hidden_critic": self._n_hidden_critic,
            "entropy_target": self._entropy_share,
        }

    def set_reference(self) -> None:
        """Make the present actor the reference of the KL penalty."""
        self.reference.load_state_dict(self.actor.state_dict())

    def set_training_mode(self, mode: bool) -> None:
        """SB3's switch; what was computed with the weights before training is forgotten.

        `predict` turns it off at every step, which must not cost the steps before.
        """
        if mode or self.training:
            self._prefix = None
        super().set_training_mode(mode)

    def vectors(self, records: Tensor) -> Tensor:
        """Network inputs `(n, width)` of records `(n, n_attributes)`."""
        index = records.clamp(min=0)[:, self._in_attribute]
        return self._table.gather(1, index.T).T.contiguous()

    def log_probabilities(self, records: Tensor, dropout: float = 0.0) -> Tensor:
        """Log-probabilities `(n, n_attributes)` of each step of records; their row sum is the record's."""
        return self.actor.heads.chosen(self.actor(self.vectors(records), dropout), records)

    def evaluate_actions(self, obs: PyTorchObs, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values, log-probabilities and -KL(policy || reference), flat over `(n, n_attributes)`.

        `obs` are the finished observations of whole records, as `RecordRolloutBuffer` yields them; observations of
        single steps, as SB3's own buffer yields them, give one value per observation.
        """
        observations = self._as_levels(obs)
        if actions.numel() != observations.numel() or bool((observations[:, -1] < 0).any()):
            return self._evaluate_steps(observations, actions.long().flatten())
        vectors, heads = self.vectors(observations), self.actor.heads
        log_probabilities = self.masks.of_buckets(self.actor(vectors))
        with torch.no_grad():
            reference = self.masks.of_buckets(self.reference(vectors))
        paid = -heads.relative_entropy(log_probabilities, reference)
        if self.entropy_target is not None:
            paid = paid + self.entropy_target(heads.entropy(log_probabilities), heads.entropy(reference))
        return self.critic(vectors).flatten(), heads.chosen(log_probabilities, observations).flatten(), paid.flatten()

    @torch.no_grad()
    def divergence(self, records: Tensor) -> Tensor:
        """KL(policy || reference) `(n, n_attributes)` of each step of records, in nats."""
        vectors = self.vectors(records)
        both = (self.masks.of_buckets(actor(vectors)) for actor in (self.actor, self.reference))
        return self.actor.heads.relative_entropy(*both)

    @torch.no_grad()
    def forward(self, obs: PyTorchObs, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Levels, values and log-probabilities `(n,)` of the next step of records filled in equally far."""
        prefix = self._continue(self._as_observations(obs))
        logits = self.actor.step_logits(prefix.vectors, prefix.actor, prefix.position)
        logits = self.masks.of_step(logits, prefix.position)
        values = self.critic.step(prefix.vectors, prefix.critic, prefix.position)
        log_probabilities = torch.log_softmax(logits, dim=-1)
        levels = log_probabilities.argmax(-1) if deterministic else draw_levels(log_probabilities)
        self._fill(prefix, levels)
        return levels, values, log_probabilities.gather(1, levels.unsqueeze(1)).squeeze(1)

    def predict_values(self, obs: PyTorchObs) -> Tensor:
        """Values `(n, 1)` of observations."""
        observations = self._as_levels(obs)
        values = self.critic(self.vectors(observations))
        return values.gather(1, _positions(observations).unsqueeze(1))

    def get_distribution(self, obs: PyTorchObs) -> Distribution:
        """The distribution of the next level; levels that the attribute lacks have no mass."""
        return self.action_dist.proba_distribution(action_logits=self._logits(self._as_levels(obs), self.actor))

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        return self.forward(observation, deterministic)[0]

    @torch.no_grad()
    def sample(
        self,
        n: int,
        given: dict[int, int] | None = None,
        generator: torch.Generator | None = None,
        actor: Actor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """`n` records `(n, n_attributes)` int64 drawn from the policy.

        Args:
            n: Number of records.
            given: Levels of attributes that are set rather than drawn. The rest follows the exact conditional
                distribution if those attributes are the first ones in fill order.
            generator: Source of randomness; torch's global one by default.
            actor: Another actor of this encoding to draw from, such as `reference`, the policy as it was before PPO.
            temperature: What logits are divided by: 1 as learned; below, frequent levels become more frequent. How
                often a finely valued quantity is missing stays.
        """
        actor = actor or self.actor
        prefix = self._start(n)
        for attribute in range(self.n_attributes):
            logits = actor.step_logits(prefix.vectors, prefix.actor, attribute, temperature)
            if given is not None and attribute in given:
                levels = torch.full((n,), given[attribute], dtype=torch.int64, device=self.device)
            else:
                levels = draw_levels(self.masks.of_step(logits, attribute), generator)
            self._fill(prefix, levels)
        return prefix.observations.long() - 1

    def _start(self, n: int) -> _Prefix:
        return _Prefix(
            torch.zeros((n, self.n_attributes), dtype=torch.int16, device=self.device),
            column_major(self._table, n, len(self._table)),
            self.actor.network.start(n),
            self.critic.start(n),
        )

    def _fill(self, prefix: _Prefix, levels: Tensor) -> None:
        columns = slice(self._columns[prefix.position], self._columns[prefix.position + 1])
        prefix.vectors[:, columns] = self._table[columns][:, levels].T
        prefix.observations[:, prefix.position] = levels + 1
        prefix.position += 1

    def _continue(self, observations: Tensor) -> _Prefix:
        """The prefix that these observations are, recomputed only if they do not follow from the last step."""
        prefix = self._prefix
        if prefix is None or prefix.position == self.n_attributes or not torch.equal(prefix.observations, observations):
            prefix = self._replay(observations)
        self._prefix = prefix
        return prefix

    def _replay(self, observations: Tensor) -> _Prefix:
        positions = _positions(observations.long() - 1)
        position = int(positions[0])
        if position == self.n_attributes or not bool((positions == position).all()):
            raise ValueError(
                "The policy steps records that are filled in equally far and not finished; "
                f"got records filled in to {sorted(set(positions.tolist()))} of {self.n_attributes}."
            )
        prefix = self._start(len(observations))
        for attribute in range(position):
            self.actor.network.step(prefix.vectors, prefix.actor, attribute)
            self.critic.step(prefix.vectors, prefix.critic, attribute)
            self._fill(prefix, observations[:, attribute].long() - 1)
        return prefix

    def _evaluate_steps(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            reference = torch.log_softmax(self._logits(observations, self.reference), dim=-1)
        log_probabilities = torch.log_softmax(self._logits(observations, self.actor), dim=-1)
        paid = -(log_probabilities.exp() * (log_probabilities - reference)).sum(-1)
        if self.entropy_target is not None:
            entropies = (-(values.exp() * values).sum(-1) for values in (log_probabilities, reference))
            paid = paid + self.entropy_target(*entropies)
        values = self.critic(self.vectors(observations)).gather(1, _positions(observations).unsqueeze(1))
        return values, log_probabilities.gather(1, actions.unsqueeze(1)).squeeze(1), paid

    def _logits(self, observations: Tensor, actor: Actor) -> Tensor:
        """Logits `(n, n_actions)` of the next level of each record, wherever it stands."""
        positions = _positions(observations)
        result = torch.full((len(observations), int(self.encoding.n_levels.max())), IMPOSSIBLE, device=self.device)
        by_bucket = self.masks.of_buckets(actor(self.vectors(observations)))
        for attribute in positions.unique().tolist():
            rows = torch.nonzero(positions == attribute).flatten()
            bucket, row = actor.heads.bucket_of[attribute]
            n_levels = int(self.encoding.n_levels[attribute])
            result[rows, :n_levels] = by_bucket[bucket][row, rows, :n_levels]
        return result

    def _as_observations(self, obs: PyTorchObs) -> Tensor:
        if not isinstance(obs, Tensor):
            raise TypeError(f"Expected a tensor of observations of the record environment, got {type(obs).__name__}.")
        return obs

    def _as_levels(self, obs: PyTorchObs) -> Tensor:
        return self._as_observations(obs).long() - 1


def _positions(records: Tensor) -> Tensor:
    return (records >= 0).sum(1)


def draw_levels(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Levels drawn by the Gumbel trick, which needs neither a normalised sum nor a synchronisation with the host."""
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
    return (logits - torch.log(-torch.log(uniform.clamp(1e-12, 1 - 1e-7)))).argmax(-1)
