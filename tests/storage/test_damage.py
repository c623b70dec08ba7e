"""Files that were damaged on the way: every changed bit and every cut is noticed."""

import random
import struct


def test_every_flipped_bit_is_noticed(content, refused):
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        refused(bytes(damaged))


def test_every_bit_of_the_beginning_is_guarded(content, refused):
    for place in range(8 * 110):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        refused(bytes(damaged))


def test_every_truncation_and_extension_is_noticed(content, refused):
    for length in range(0, len(content), 7):
        refused(content[:length])
    refused(content[:-1])
    refused(content + b"\0")
    refused(content[:8] + content)


def test_noise_is_refused(refused):
    noise = random.Random(0)
    for length in [0, 1, 7, 8, 9, 100, 5000]:
        refused(noise.randbytes(length))
        refused(struct.pack("<Q", 60) + noise.randbytes(length))
    refused(struct.pack("<Q", 2**63) + b"{}")
