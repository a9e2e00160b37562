"""Products by oneDNN: as exact as 32 bits are, only on processors of AMD, and only within the block."""

import pytest
import torch
import torch.nn.functional as F

from fsar import cpu_products
from fsar.cpu_products import fast_products


@pytest.fixture
def amd(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("vendor_id\t: AuthenticAMD\n")
    monkeypatch.setattr(cpu_products, "CPUINFO", tmp_path / "cpuinfo")


def setting() -> str:
    return torch.backends.mkldnn.matmul.fp32_precision


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


@torch.inference_mode()
@pytest.mark.parametrize(
    "multiply",
    [
        lambda: (F.linear, random(240, 96), random(80, 96)),
        lambda: (F.linear, random(9, 30, 96)[:, :7], random(80, 96)),
        lambda: (torch.matmul, random(5, 40, 96), random(5, 96, 33)),
        lambda: (F.scaled_dot_product_attention, random(6, 4, 8, 64), random(6, 4, 9, 64), random(6, 4, 9, 64)),
    ],
)
def test_products_keep_32_bits(amd, multiply):
    product, *factors = multiply()
    with fast_products():
        found = product(*factors)
    exact = product(*(factor.double() for factor in factors))
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5 * exact.abs().max().item())


@torch.inference_mode()
def test_the_same_product_has_the_same_bits_each_time(amd):
    with fast_products():
        first, second = (random(240, 512) @ random(1, 512, 512) for _ in range(2))
    assert torch.equal(first, second)


def test_the_setting_ends_with_the_block(amd):
    before = setting()
    with pytest.raises(KeyError), fast_products():
        raise KeyError
    assert setting() == before


def test_other_processors_are_left_alone(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("vendor_id\t: GenuineIntel\n")
    for path in (tmp_path / "cpuinfo", tmp_path / "none"):
        monkeypatch.setattr(cpu_products, "CPUINFO", path)
        before = setting()
        with fast_products():
            assert setting() == before


def test_a_processor_that_would_round_is_left_alone(amd, monkeypatch):
    monkeypatch.setattr(cpu_products, "keeps_32_bits", lambda: False)
    before = setting()
    with fast_products():
        assert setting() == before


def test_rounding_to_bfloat16_is_seen(monkeypatch):
    assert cpu_products.keeps_32_bits()
    multiply = torch.Tensor.__matmul__
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: multiply(a.bfloat16(), b.bfloat16()).float())
    assert not cpu_products.keeps_32_bits()
