import pytest

from guardrails.bias.pictures.reference_shares import reference_shares
from guardrails.core.errors import ConfigurationError


def test_names_alone_stand_for_equal_shares_and_the_words_say_so():
    reference = reference_shares("woman, man,nobody")
    assert dict(reference.shares) == {"woman": 1 / 3, "man": 1 / 3, "nobody": 1 / 3}
    assert "uniform" in reference.words


def test_stated_shares_are_read_and_rounding_is_allowed():
    reference = reference_shares("a=0.333,b=0.333,c=0.333")
    assert sum(reference.shares.values()) == pytest.approx(1)
    assert reference.words.startswith("stated")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("woman", "2 to 50"),
        ("woman,woman", "twice"),
        ("woman=0.5,man", "others none"),
        ("woman=0.5,man=0.6", "sum to 1.1"),
        ("woman=half,man=0.5", "a number"),
        ("woman=nan,man=0.5", "a number"),
        ("woman=0,man=1", "a number"),
        ("woman,,man", "a name"),
        (",".join(str(i) for i in range(51)), "2 to 50"),
    ],
)
def test_what_is_no_distribution_is_refused(text, reason):
    with pytest.raises(ConfigurationError, match=reason):
        reference_shares(text)
