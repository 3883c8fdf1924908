"""Gymnasium environments in which generating a patient record is an episode; importing registers their ids."""

import gymnasium

for _name in ("AIREADI-v0", "MIMICIV-v0", "BreastCancer-v0", "Diabetes-v0", "Table-v0"):
    gymnasium.register(id=_name, entry_point="envs.cohorts:make_record_env", kwargs={"dataset": _name})
