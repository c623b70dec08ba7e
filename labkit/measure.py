import torch
@torch.inference_mode()
def accuracy(model, data, split="validation", batch=200):
    model.eval(); part=data.split(split); right=0
    for s in range(0,len(part),batch):
        b=part.take(slice(s,s+batch))
        right+=(model(data.normalise(b.images)).argmax(1)==b.labels).sum().item()
    return right/len(part)
