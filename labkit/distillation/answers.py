"""What a teacher answers: its logits for the training pictures, asked for once where the pictures stay as they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labkit.data import Split


class Answers:
    """Remembers a teacher's logits (n, classes) by the place of a picture in the training split.

    Most of the time of a student goes into its teacher, which says the same in every epoch.

    >>> teacher = nn.Flatten()
    >>> answers = Answers(teacher, Split(torch.zeros(9, 1, 1, 3), torch.zeros(9)))
    >>> answers(torch.ones(1, 1, 1, 3), torch.tensor([4])).tolist()
    [[1.0, 1.0, 1.0]]
    >>> answers(torch.zeros(1, 1, 1, 3), torch.tensor([4])).tolist()  # it is not asked again
    [[1.0, 1.0, 1.0]]
    """

    def __init__(self, teacher: nn.Module, pictures: Split):
        self.teacher, self.pictures = teacher, pictures
        self.known = torch.zeros(len(pictures), dtype=torch.bool)
        self.logits = torch.empty(0)

    @torch.no_grad()
    def __call__(self, images: Tensor, index: Tensor | None) -> Tensor:
        """Return the logits for a batch; `index` None says that these pictures never come again."""
        if index is None:
            return self.teacher(images)
        new = ~self.known[index]
        if bool(new.any()):
            said = self.teacher(images[new.to(images.device)]).cpu()
            if not len(self.logits):
                self.logits = said.new_empty(len(self.known), said.shape[1])
            self.logits[index[new]] = said
            self.known[index[new]] = True
        return self.logits[index].to(images.device)
