def adopt(model): return model
