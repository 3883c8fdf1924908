"""Where the curves of a training go on."""

from stable_baselines3.common.logger import configure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer
from torch.utils.tensorboard import SummaryWriter

from rlsyn.run_summary import write_description
from rlsyn.schema import Column, Schema
from rlsyn.training_folder import drop_curves_beyond


def test_points_after_the_mark_stay_whatever_number_the_file_has(tmp_path, monkeypatch):
    """Files of one second are read in the order of their names, the tenth of a process before the ninth."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    with SummaryWriter(str(tmp_path)) as killed:
        for step in (10, 20, 30):
            killed.add_scalar("entropy", 0.5, step)
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(9))
    logger = configure(str(tmp_path), ["tensorboard"])
    drop_curves_beyond(logger, tmp_path, 10)
    logger.record("entropy", 1.0)
    logger.dump(20)
    logger.close()
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("entropy")
    assert [(event.step, event.value) for event in events] == [(10, 0.5), (20, 1.0)]


def test_a_training_that_begins_leaves_one_file_of_curves_beside_its_texts(tmp_path):
    write_description(tmp_path, {}, Schema((Column("age", "integer"),)))
    logger = configure(str(tmp_path), ["tensorboard"])
    drop_curves_beyond(logger, tmp_path, 0)
    logger.close()
    assert sorted(path.suffix == ".texts" for path in tmp_path.glob("events.*")) == [False, True]
