"""What happens round each call of the sampler and of the model, while a run goes on."""
