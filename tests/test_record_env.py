"""RecordEnv and RecordVecEnv: the checkers, the rules, and that both are one engine."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.env_checker import check_env as check_sb3_env
from stable_baselines3.common.env_util import make_vec_env

import envs  # noqa: F401 (registers the ids)
from envs.record_env import RecordEnv
from envs.record_vec_env import RecordVecEnv

N_LEVELS = [3, 2, 5, 1]


def sum_of_levels(records):
    return records.sum(axis=1)


@pytest.mark.parametrize("env_id", ["BreastCancer-v0", "Diabetes-v0", "AIREADI-v0", "MIMICIV-v0"])
@pytest.mark.parametrize("action_space", ["discrete", "box"])
def test_registered_env_passes_both_checkers(env_id, action_space):
    env = gym.make(env_id, action_space=action_space, render_mode="ansi").unwrapped
    check_env(env)
    check_sb3_env(env)


def test_table_env_reads_a_csv(patients, tmp_path):
    patients.to_csv(tmp_path / "patients.csv", index=False)
    env = gym.make("Table-v0", csv=tmp_path / "patients.csv", label="died")
    observation, info = env.reset(seed=0)
    assert info["attribute"] == "died"
    assert len(observation) == patients.shape[1]
    with pytest.raises(ValueError, match=r"gymnasium\.make\('Table-v0', csv=FILE"):
        gym.make("Table-v0")


@pytest.mark.parametrize("option", [{"label": "mean_radius"}, {"group": "x"}, {"drop": ["mean_area"]}], ids=str)
@pytest.mark.parametrize("env_id", ["BreastCancer-v0", "AIREADI-v0", "Table-v0"])
def test_options_of_a_file_are_refused_where_there_is_none(env_id, option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} goes with csv, got it with {env_id} and no csv"):
        gym.make(env_id, **option)


def test_seed_makes_a_random_order():
    names = [gym.make("BreastCancer-v0", order="random", seed=seed).unwrapped.names for seed in (0, 0, 5)]
    assert names[0] == names[1] != names[2]


def test_sb3_makes_the_environment_by_its_id():
    assert PPO("MlpPolicy", "BreastCancer-v0", device="cpu").env.num_envs == 1
    vec_env = make_vec_env("BreastCancer-v0", n_envs=2, env_kwargs={"invalid_level": "wrap"})
    model = PPO("MlpPolicy", vec_env, n_steps=4, batch_size=8, n_epochs=1, device="cpu").learn(8)
    assert model.num_timesteps == 8


def test_unknown_render_mode_is_refused_in_words():
    with pytest.raises(TypeError, match=r"render_mode must be None or one of \['ansi'\], got 'human'"):
        RecordEnv(N_LEVELS, render_mode="human")


def test_episode_fills_one_attribute_per_step_and_pays_at_the_end():
    env = RecordEnv(N_LEVELS, reward_fn=sum_of_levels, names=["a", "b", "c", "d"])
    observation, info = env.reset()
    assert observation.tolist() == [0, 0, 0, 0]
    assert info == {"attribute": "a"}
    steps = [env.step(action) for action in (2, 1, 4, 0)]
    assert [step[1] for step in steps] == [0, 0, 0, 7]
    assert [step[2] for step in steps] == [False, False, False, True]
    assert not any(step[3] for step in steps)
    assert steps[1][0].tolist() == [3, 2, 0, 0]
    assert steps[-1][4]["record"].tolist() == [2, 1, 4, 0]
    assert steps[-1][4]["record"].dtype == np.int64


@pytest.mark.parametrize(
    ("reward_fn", "message"),
    [
        (lambda records: np.zeros(3), "one finite number for each record, here 2, got 3 of them"),
        (lambda records: [np.nan, 1.0], "one finite number for each record, here 2, got 1 NaN or infinite"),
        (lambda records: None, "one finite number for each record"),
    ],
)
def test_reward_that_is_no_number_for_each_record_is_refused(reward_fn, message):
    env = RecordVecEnv([2], 2, reward_fn)
    env.reset()
    with pytest.raises(ValueError, match=message):
        env.step(np.zeros(2, dtype=int))


def test_reward_that_is_no_function_is_refused_before_an_episode():
    with pytest.raises(TypeError, match="must be a function of finished records or None, got 3"):
        gym.make("BreastCancer-v0", reward_fn=3)


@pytest.mark.parametrize("action", [-1, 3, 4])
def test_invalid_level_raises_and_names_the_valid_ones(action):
    env = RecordEnv(N_LEVELS)
    env.reset()
    with pytest.raises(ValueError, match="levels 0 to 2, got"):
        env.step(action)


def test_invalid_level_wraps_when_asked_to():
    env = RecordEnv(N_LEVELS, invalid_level="wrap")
    env.reset()
    assert env.step(4)[0].tolist() == [2, 0, 0, 0]


@pytest.mark.parametrize(("action_space", "action"), [("discrete", 0.7), ("discrete", np.nan), ("box", np.nan)])
def test_actions_that_are_no_levels_are_refused(action_space, action):
    env = RecordEnv([3, 2], action_space=action_space)
    env.reset()
    with pytest.raises(ValueError, match="Actions must be"):
        env.step(np.array([action]))


def test_step_after_the_end_raises():
    env = RecordEnv([2])
    env.reset()
    env.step(1)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(0)


def test_masks_allow_the_levels_of_the_attribute_at_hand():
    env, vec_env = RecordEnv(N_LEVELS), RecordVecEnv(N_LEVELS, 3)
    env.reset()
    vec_env.reset()
    for n_levels in N_LEVELS:
        assert env.action_masks().tolist() == [level < n_levels for level in range(5)]
        assert (vec_env.action_masks() == env.action_masks()).all()
        env.step(0)
        vec_env.step(np.zeros(3, dtype=int))


def test_random_actions_are_valid_levels():
    env = RecordEnv(N_LEVELS)
    for seed in range(20):
        env.reset(seed=seed)
        for _ in N_LEVELS:
            env.step(env.action_space.sample())


def test_seed_makes_random_actions_repeat():
    env = RecordEnv([30, 30, 30])

    def draw():
        env.reset(seed=5)
        return [int(env.action_space.sample()) for _ in range(10)]

    assert draw() == draw()


def test_render_shows_what_is_filled_in():
    labels = [["low", "mid", "high"], ["no", "yes"], list("vwxyz"), ["-"]]
    env = RecordEnv(N_LEVELS, names=["a", "b", "c", "d"], labels=labels, render_mode="ansi")
    env.reset()
    env.step(2)
    assert env.render() == "a  high\nb  <\nc  .\nd  ."


def test_box_action_is_the_inverse_cumulative_share():
    marginals = [np.array([0.2, 0.5, 0.3]), np.array([0.5, 0.5])]
    env = RecordVecEnv([3, 2], 4, action_space="box", marginals=marginals)
    env.reset()
    # Cumulative shares 0, .19, .21 and 1.
    observations = env.step(np.array([[-1.0], [-0.62], [-0.58], [1.0]]))[0]
    assert (observations[:, 0] - 1).tolist() == [0, 0, 1, 2]


def test_uniform_box_actions_give_the_marginals():
    marginals = [np.array([0.1, 0.6, 0.3])]
    env = RecordVecEnv([3], 20_000, action_space="box", marginals=marginals)
    env.reset()
    infos = env.step(np.random.default_rng(0).uniform(-1, 1, (20_000, 1)))[3]
    shares = np.bincount([info["record"][0] for info in infos]) / 20_000
    assert np.allclose(shares, marginals[0], atol=0.015)


@pytest.mark.parametrize("action_space", ["discrete", "box"])
def test_both_envs_give_the_same_records_and_rewards_for_the_same_actions(action_space):
    rng = np.random.default_rng(0)
    marginals = [rng.dirichlet(np.ones(n)) for n in N_LEVELS]
    n = 16
    if action_space == "box":
        actions = rng.uniform(-1, 1, (len(N_LEVELS), n, 1)).astype(np.float32)
    else:
        actions = np.stack([rng.integers(levels, size=n) for levels in N_LEVELS])
    vec_env = RecordVecEnv(N_LEVELS, n, sum_of_levels, action_space, marginals)
    assert (vec_env.reset() == 0).all()
    together = [vec_env.step(action) for action in actions]
    for i in range(n):
        env = RecordEnv(N_LEVELS, sum_of_levels, action_space, marginals)
        env.reset()
        for t in range(len(N_LEVELS)):
            observation, reward, terminated, _, info = env.step(actions[t][i])
            assert reward == together[t][1][i]
            assert terminated == together[t][2][i]
            if not terminated:
                assert observation.tolist() == together[t][0][i].tolist()
        assert info["record"].tolist() == together[-1][3][i]["record"].tolist()
        assert observation.tolist() == together[-1][3][i]["terminal_observation"].tolist()
    assert (together[-1][0] == 0).all(), "a finished episode must reset by itself"


def test_vec_env_returns_arrays_of_its_own_unless_told_not_to():
    copying, sharing = RecordVecEnv(N_LEVELS, 2), RecordVecEnv(N_LEVELS, 2, copy_observations=False)
    for env, changes in ((copying, False), (sharing, True)):
        before = env.reset()
        env.step(np.array([1, 1]))
        assert bool(before.any()) == changes


@pytest.mark.parametrize(
    "bad", [{"n_levels": []}, {"n_levels": [0]}, {"action_space": "continuous"}, {"marginals": [[1]]}]
)
def test_impossible_arguments_raise(bad):
    with pytest.raises(ValueError):
        RecordEnv(**{"n_levels": [2, 2], **bad})


@pytest.mark.parametrize(
    ("algorithm", "kwargs"), [(A2C, {}), (DQN, {"learning_starts": 10}), (SAC, {"learning_starts": 10})]
)
def test_stock_algorithms_train_in_the_env(algorithm, kwargs):
    space = "box" if algorithm is SAC else "discrete"
    env = RecordVecEnv(N_LEVELS, 2, sum_of_levels, space, invalid_level="wrap")
    model = algorithm("MlpPolicy", env, device="cpu", seed=0, **kwargs).learn(60)
    assert model.num_timesteps >= 60


ALLOWED = [
    np.array([True, False, True]),
    np.ones(2, bool),
    np.array([False, False, True, True, False]),
    np.ones(1, bool),
]


@pytest.mark.parametrize("action_space", ["discrete", "box"])
def test_forbidden_levels_are_masked_never_sampled_and_never_filled_in(action_space):
    marginals = [np.array([0.1, 0.8, 0.1]), np.array([0.5, 0.5]), np.full(5, 0.2), np.ones(1)]
    env = RecordEnv(N_LEVELS, action_space=action_space, marginals=marginals, allowed=ALLOWED)
    seen = []
    for seed in range(60):
        env.reset(seed=seed)
        for levels in ALLOWED:
            assert np.flatnonzero(env.action_masks()).tolist() == np.flatnonzero(levels).tolist()
            info = env.step(env.action_space.sample())[4]
        seen.append(info["record"])
    for level, levels in zip(np.array(seen).T, ALLOWED, strict=True):
        assert set(level) == set(np.flatnonzero(levels))


def test_ends_of_the_box_are_the_first_and_the_last_allowed_level():
    env = RecordVecEnv(N_LEVELS, 2, action_space="box", allowed=ALLOWED)
    env.reset()
    for _ in N_LEVELS:
        infos = env.step(np.array([[-1.0], [1.0]]))[3]
    assert [info["record"].tolist() for info in infos] == [[0, 0, 2, 0], [2, 1, 3, 0]]


def test_forbidden_level_raises_or_wraps_to_an_allowed_one():
    env = RecordEnv(N_LEVELS, allowed=ALLOWED)
    env.reset()
    with pytest.raises(ValueError, match=r"levels 0 to 2 but for \[1\], got 1"):
        env.step(1)
    env = RecordEnv(N_LEVELS, allowed=ALLOWED, invalid_level="wrap")
    for action, filled in ((0, 1), (1, 3), (2, 3), (3, 3), (4, 1)):
        env.reset()
        assert env.step(action)[0].tolist() == [filled, 0, 0, 0]


@pytest.mark.parametrize("allowed", [ALLOWED[:3], [np.zeros(3, bool), *ALLOWED[1:]]], ids=["short", "none left"])
def test_masks_that_do_not_fit_are_refused(allowed):
    with pytest.raises(ValueError, match="allowed must"):
        RecordEnv(N_LEVELS, allowed=allowed)
