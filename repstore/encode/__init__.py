"""Words to word vectors. The only room that knows torch and transformers."""
