"""How a run goes: weights, device, applying, training, scoring."""
