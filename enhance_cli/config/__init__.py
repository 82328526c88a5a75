"""What can be set: the model, a training recipe, an evaluation, and a batch of photos."""
