"""Tags in the bytes of a sidecar: ours come and go, what others wrote stays."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.tags.xmp.keywords import Keywords
from tagger.tags.xmp.merging import EMPTY, OURS, RDF, SidecarError, merged

DC = "http://purl.org/dc/elements/1.1/"
BEACH = Keywords(("beach",), ("nature|beach",), ("nature/beach",))
DOG = Keywords(("dog",), ("animal|dog",), ("animal/dog",))

OTHERS = f"""\
<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
<!-- mine -->
<meta:xmpmeta xmlns:meta='adobe:ns:meta/'>
<R:RDF xmlns:R='{RDF}'>
 <R:Description R:about='uuid:7' xmp:Rating='4' xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmlns:d='{DC}'
   title='a > b &#xA; c'>
  <d:subject><R:Bag>
    <R:li>sea</R:li><!-- of last summer -->
    <R:li >beach &amp; bar</R:li>
  </R:Bag></d:subject>
  <h:history xmlns:h='urn:h'><R:Seq><R:li R:parseType='Resource'><h:op>crop</h:op></R:li></R:Seq></h:history>
 </R:Description>
</R:RDF>
</meta:xmpmeta>
<?xpacket end='w'?>
""".encode()


def values(sidecar: bytes | None, name: str) -> list[str | None]:
    assert sidecar
    tree = ElementTree.fromstring(sidecar)
    return [item.text for list_ in tree.iter(name) for item in list_.iter(f"{{{RDF}}}li")]


def subject(sidecar: bytes | None) -> list[str | None]:
    return values(sidecar, f"{{{DC}}}subject")


def test_a_new_sidecar_has_the_three_properties_and_what_of_them_is_ours():
    made = merged(None, BEACH)
    assert subject(made) == values(made, f"{{{OURS}}}names") == ["beach"]
    assert values(made, "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject") == ["nature|beach"]
    assert values(made, "{http://www.digikam.org/ns/1.0/}TagsList") == ["nature/beach"]
    assert made and b"<rdf:Seq>" in made.split(b"<digiKam:TagsList>")[1].split(b"</digiKam:TagsList>")[0]


def test_a_photo_without_tags_needs_no_sidecar():
    assert merged(None, Keywords()) is None


def test_of_what_others_wrote_every_byte_stays():
    made = merged(OTHERS, BEACH)
    assert made
    assert subject(made) == ["sea", "beach & bar", "beach"]
    added = b"\n    <R:li>beach</R:li>"
    assert added in made
    ours = made[made.index(b"\n  <rdf:Description xmlns:rdf") : made.index(b"\n</R:RDF>")]
    assert b'rdf:about="uuid:7"' in ours
    assert made.replace(added, b"").replace(ours, b"") == OTHERS
    assert merged(made, Keywords()) == OTHERS


def test_our_former_tags_are_replaced_and_those_of_others_are_not():
    others = merged(EMPTY, Keywords(("sea", "dog")))
    assert others
    others = others.replace(OURS.encode(), b"urn:other:")
    first = merged(others, BEACH)
    assert subject(first) == ["sea", "dog", "beach"]
    second = merged(first, Keywords(("dog", "cat")))
    # "dog" is theirs as much as ours: it is there once, and it is not ours to take away.
    assert subject(second) == ["sea", "dog", "cat"]
    assert subject(merged(second, Keywords())) == ["sea", "dog"]


def test_a_tag_that_a_person_took_out_does_not_come_back():
    made = merged(None, Keywords(("beach", "dog")))
    assert made
    at = made.index(b"<dc:subject>")
    corrected = made[:at] + made[at:].replace(b"\n     <rdf:li>beach</rdf:li>", b"", 1)
    assert subject(corrected) == ["dog"]
    assert merged(corrected, Keywords(("beach", "dog"))) is None
    assert subject(merged(corrected, Keywords(("beach", "dog", "sea")))) == ["dog", "sea"]
    # It does once it was no tag of the photo in between.
    without = merged(corrected, Keywords(("dog",)))
    assert subject(merged(without, Keywords(("beach", "dog")))) == ["dog", "beach"]


def test_the_order_of_tags_is_no_reason_to_write():
    made = merged(None, Keywords(("beach", "dog")))
    assert merged(made, Keywords(("dog", "beach"))) is None


@pytest.mark.parametrize(
    "rdf",
    [
        f"<rdf:RDF xmlns:rdf='{RDF}'/>",
        f"<rdf:RDF xmlns:rdf='{RDF}'></rdf:RDF>",
        f"<RDF xmlns='{RDF}'><Description about=''><d:subject xmlns:d='{DC}'><Bag a='>'/></d:subject></Description>"
        "</RDF>",
        f"<rdf:RDF xmlns:rdf='{RDF}'><rdf:Description><dc:subject xmlns:dc='{DC}'/></rdf:Description></rdf:RDF>",
        f"<r:RDF xmlns:r='{RDF}'><r:Description><d:subject xmlns:d='{DC}'> </d:subject></r:Description></r:RDF>",
        f"\ufeff<rdf:RDF xmlns:rdf='{RDF}'>\r\n</rdf:RDF>\r\n",
    ],
)
def test_properties_and_lists_that_are_empty_are_filled(rdf: str):
    made = merged(rdf.encode(), BEACH)
    assert subject(made) == ["beach"]
    assert merged(made, BEACH) is None


def test_a_comment_in_a_list_that_we_empty_stays():
    made = merged(None, BEACH)
    assert made
    commented = made.replace(b"<dc:subject>\n    <rdf:Bag>", b"<dc:subject>\n    <rdf:Bag><!-- mine -->")
    assert b"<!-- mine -->" in (merged(commented, Keywords()) or b"")


@pytest.mark.parametrize(
    ("sidecar", "reason"),
    [
        (b"", "no XML"),
        (b"<a>", "no XML"),
        (b"<a/>", "no XMP: it has no rdf:RDF"),
        (b"\xff\xd8\xff\xe0 a photo", "not UTF-8"),
        ("<a/>".encode("utf-16"), "not UTF-8"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares a document type or entities"),
        (b'<!DOCTYPE a SYSTEM "http://localhost/a"><a/>', "declares a document type or entities"),
        (b"<a>" * 100_001, "more than 100,000 elements"),
        (b" " * 16_000_001, "16,000,001 bytes are more than"),
        (EMPTY.replace(b"</rdf:RDF>", b"</rdf:RDF><rdf:RDF xmlns:rdf='%s'/>" % RDF.encode()), "no XMP"),
    ],
)
def test_what_is_no_sidecar_is_refused_with_the_reason(sidecar: bytes, reason: str):
    with pytest.raises(SidecarError, match=reason):
        merged(sidecar, BEACH)


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("<rdf:Description dc:subject='sea'/>", "dc:subject is no list but an attribute"),
        ("<rdf:Description><dc:subject>sea</dc:subject></rdf:Description>", "dc:subject is no list"),
        ("<rdf:Description><dc:subject><a/></dc:subject></rdf:Description>", "dc:subject is no list"),
        ("<rdf:Description><dc:subject/><dc:subject/></rdf:Description>", "dc:subject is there 2 times"),
    ],
)
def test_a_property_that_is_no_list_is_refused_with_the_reason(description: str, reason: str):
    sidecar = f"<rdf:RDF xmlns:rdf='{RDF}' xmlns:dc='{DC}'>{description}</rdf:RDF>"
    with pytest.raises(SidecarError, match=reason):
        merged(sidecar.encode(), BEACH)


keywords = st.lists(st.sampled_from(["a", "b", "c & <d>", "狗", "]]>", "'\""]), unique=True, max_size=6).map(
    lambda names: Keywords(tuple(names), tuple(f"x|{name}" for name in names), tuple(f"x/{name}" for name in names))
)


@given(steps=st.lists(keywords, min_size=1, max_size=6), start=st.sampled_from([None, OTHERS]))
def test_after_any_history_the_tags_are_those_of_the_last_time_and_nothing_is_left_behind(
    steps: list[Keywords], start: bytes | None
):
    state = start
    for step in steps:
        state = merged(state, step) or state
        assert state is None or merged(state, step) is None
    last = set(steps[-1].subject)
    if state is None:
        assert not last
        return
    assert set(subject(state)) == last | ({"sea", "beach & bar"} if start else set())
    assert (merged(state, Keywords()) or state) == (start or EMPTY)
