"""XMP of sidecars and RAW files, as ExifTool, Adobe's programs and darktable have it."""

import json
import shutil
import subprocess

import pytest

from enhance_cli.imaging.sidecars.read import read_sidecar, without_development

ADOBE = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
   xmp:Rating="4" xmp:Label="Red" tiff:Orientation="6" tiff:BitsPerSample="14"
   photoshop:SidecarForExtension="NEF" dc:format="image/x-nikon-nef" photoshop:City="Köln"
   exif:GPSLatitude="47,22.5N" exif:GPSLongitude="8,32.4E"
   crs:Version="15.0" crs:Exposure2012="+1.50">
   <dc:subject><rdf:Bag><rdf:li>Pier &amp; sea</rdf:li><rdf:li>Köln</rdf:li></rdf:Bag></dc:subject>
   <crs:ToneCurvePV2012><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurvePV2012>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""

DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="3" xmpMM:DerivedFrom="a.nef" darktable:xmp_version="5" darktable:history_end="1">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Pier</rdf:li></rdf:Alt></dc:title>
   <darktable:history><rdf:Seq>
    <rdf:li darktable:num="0" darktable:operation="flip" darktable:params="06000000"/>
   </rdf:Seq></darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


def said_by_exiftool(packet, tmp_path):
    (tmp_path / "read.xmp").write_bytes(packet)
    command = ["exiftool", "-json", "-n", "-G1", "-XMP:all", tmp_path / "read.xmp"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    return {tag: value for tag, value in found.items() if tag.startswith("XMP")}


@pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")
@pytest.mark.parametrize("content", [ADOBE, DARKTABLE, "\ufeff" + ADOBE])
def test_all_but_the_development_stays(tmp_path, content):
    before = said_by_exiftool(content.encode(), tmp_path)
    after = said_by_exiftool(without_development(content.encode()), tmp_path)
    gone = before.keys() - after.keys()
    assert after == {tag: value for tag, value in before.items() if tag not in gone}
    developed = {tag for tag in before if tag.startswith(("XMP-crs:", "XMP-darktable:"))}
    of_the_file = {"XMP-photoshop:SidecarForExtension", "XMP-tiff:BitsPerSample"}
    assert gone == developed | (of_the_file & before.keys())
    assert len(developed) >= 3 and len(after) >= 3


@pytest.mark.parametrize("content", [ADOBE, DARKTABLE])
def test_the_packet_is_wrapped_once(content):
    packet = without_development(content.encode())
    assert packet.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert packet.endswith(b'<?xpacket end="w"?>') and b"<?xml " not in packet
    assert without_development(packet) == packet


@pytest.mark.parametrize("content", [b"", b"no XML", ADOBE[:-9].encode(), ADOBE.encode("utf-16")])
def test_what_is_no_xmp_cannot_be_read(content):
    assert without_development(content) is None


class TestSidecar:
    def test_it_says_what_it_has(self, tmp_path):
        (tmp_path / "a.xmp").write_text(ADOBE, encoding="utf-8")
        packet, orientation, problem = read_sidecar(tmp_path / "a.nef")
        assert "Köln".encode() in packet and orientation == 6 and problem is None

    def test_none(self, tmp_path):
        assert read_sidecar(tmp_path / "a.nef") == (None, None, None)

    @pytest.mark.parametrize("form", ['photoshop:SidecarForExtension="NEF"', "element"])
    def test_that_of_a_file_of_another_format_is_not_taken(self, tmp_path, form):
        element = "<photoshop:SidecarForExtension>NEF</photoshop:SidecarForExtension>"
        content = ADOBE
        if form == "element":
            content = ADOBE.replace('photoshop:SidecarForExtension="NEF"', "")
            content = content.replace("<dc:subject>", f"{element}<dc:subject>")
        (tmp_path / "a.xmp").write_text(content, encoding="utf-8")
        assert read_sidecar(tmp_path / "a.cr2") == (None, None, None)
        assert read_sidecar(tmp_path / "a.NEF").packet

    @pytest.mark.parametrize(
        ("stated", "taken"), [("0", None), ("-1", None), ("2", None), ("8", 8)]
    )
    def test_orientations_that_mean_nothing_are_passed_over(self, tmp_path, stated, taken):
        content = ADOBE.replace('Orientation="6"', f'Orientation="{stated}"')
        (tmp_path / "a.xmp").write_text(content, encoding="utf-8")
        assert read_sidecar(tmp_path / "a.nef").orientation == taken

    @pytest.mark.parametrize("content", [b"damaged", b"", b"<a/>" + b" " * 2**23])
    def test_one_that_cannot_be_read_is_named(self, tmp_path, content):
        (tmp_path / "a.xmp").write_bytes(content)
        packet, orientation, problem = read_sidecar(tmp_path / "a.nef")
        assert packet is None and orientation is None
        assert "its sidecar a.xmp " in problem and problem.endswith("was left out")
