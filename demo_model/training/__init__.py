"""How the weights are made: one module per step, all started by `demo_model/train.py`."""
