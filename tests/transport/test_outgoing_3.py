"""One packet, several wire formats: what each kind of client gets, and that it is encoded once for all of a kind."""

from __future__ import annotations

import pytest

from webpy_socketio.config import Config
from webpy_socketio.transport.outbox import Budget, Outbox, OutgoingPacket
from webpy_socketio.transport.outgoing_3 import Base64Packet3, Packet3, translate
from webpy_socketio.transport.polling_3 import PollingCarrier3
from webpy_socketio.wire.deflate import Deflater

TEXT = '42["€"]'.encode()
HOLDER = b'451-["x",{"_placeholder":true,"num":0}]'


def text_packet() -> OutgoingPacket:
    return OutgoingPacket(TEXT, droppable=True)


def binary_packet() -> OutgoingPacket:
    return OutgoingPacket(HOLDER, [b"\x01\x02"], droppable=True)


@pytest.mark.parametrize("kind", [Packet3, Base64Packet3])
def test_text_is_the_same_on_every_websocket(kind: type[Packet3]) -> None:
    packet = text_packet()
    assert translate(packet, kind).frames() == packet.frames() == b"\x81\x09" + TEXT


def test_binary_data_begins_with_its_type() -> None:
    packet = binary_packet()
    head = bytes((0x81, len(HOLDER))) + HOLDER
    assert packet.frames() == head + b"\x82\x02\x01\x02"
    assert translate(packet, Packet3).frames() == head + b"\x82\x03\x04\x01\x02"
    assert translate(packet, Base64Packet3).frames() == head + b"\x81\x06b4AQI="


@pytest.mark.parametrize("kind", [Packet3, Base64Packet3])
def test_both_generations_share_compressed_text(kind: type[Packet3]) -> None:
    packet, deflater = OutgoingPacket(b'42["' + b"x" * 1_000 + b'"]'), Deflater(15, 100)
    assert translate(packet, kind).deflated_frames(deflater) is packet.deflated_frames(deflater)
    assert len(packet.deflated_frames(deflater)) < 100


def test_compressed_binary_data_begins_with_its_type() -> None:
    packet, deflater = OutgoingPacket(HOLDER, [bytes(1_000)]), Deflater(15, 100)
    deflated = [translate(packet, kind).deflated_frames(deflater) for kind in (Packet3, Base64Packet3)]
    assert len({packet.deflated_frames(deflater), *deflated}) == 3
    assert max(map(len, deflated)) < 200


def test_pieces_of_a_text_payload_carry_their_length_in_characters() -> None:
    packet = binary_packet()
    assert packet.pieces() == (HOLDER, b"bAQI=")
    pieces = (b"%d:%b" % (len(HOLDER), HOLDER), b"6:b4AQI=")
    assert translate(packet, Packet3).pieces() == translate(packet, Base64Packet3).pieces() == pieces
    assert translate(text_packet(), Packet3).pieces() == (b"7:" + TEXT,)


def test_pieces_of_a_binary_payload_carry_their_length_in_bytes() -> None:
    head = bytes((0, *map(int, str(len(HOLDER))), 255)) + HOLDER
    assert translate(binary_packet(), Packet3).binary_piece() == head + b"\x01\x03\xff\x04\x01\x02"
    assert translate(text_packet(), Packet3).binary_piece() == b"\x00\x09\xff" + TEXT


@pytest.mark.parametrize("kind", [Packet3, Base64Packet3])
def test_all_receivers_of_a_kind_share_the_encoded_bytes(kind: type[Packet3]) -> None:
    packet = binary_packet()
    one, other = translate(packet, kind), translate(packet, kind)
    assert one is other
    assert one.frames() is other.frames()
    assert one.pieces() is other.pieces()
    assert one.binary_piece() is other.binary_piece()


def test_the_limits_of_an_outbox_apply_to_translated_packets_too() -> None:
    packet = binary_packet()
    translated = translate(packet, Packet3)
    assert translated.droppable
    assert translated.size >= packet.size
    assert not translate(OutgoingPacket(b"40"), Packet3).droppable


def carrier_with(*packets: OutgoingPacket, takes_binary: bool) -> PollingCarrier3:
    outbox = Outbox(Config(), Budget(1_000))
    for packet in packets:
        outbox.push(translate(packet, Packet3 if takes_binary else Base64Packet3))
    return PollingCarrier3(outbox, 1_000_000, takes_binary=takes_binary)


def answer(carrier: PollingCarrier3) -> tuple[bytes, str]:
    poll = carrier.open_poll(None)
    assert poll is not None
    payload = carrier.wait_payload(poll)
    carrier.settle_poll(poll, written=True)
    return payload, carrier.content_type


def test_a_payload_is_text_as_long_as_there_is_nothing_binary() -> None:
    carrier = carrier_with(text_packet(), OutgoingPacket(b"3"), takes_binary=True)
    assert answer(carrier) == (b"7:" + TEXT + b"1:3", "text/plain; charset=UTF-8")


def test_a_payload_with_binary_data_is_binary_for_who_takes_it() -> None:
    carrier = carrier_with(OutgoingPacket(b"3"), binary_packet(), takes_binary=True)
    payload, content_type = answer(carrier)
    assert content_type == "application/octet-stream"
    assert payload == b"\x00\x01\xff3" + translate(binary_packet(), Packet3).binary_piece()


def test_a_payload_with_binary_data_is_base64_for_others() -> None:
    carrier = carrier_with(OutgoingPacket(b"3"), binary_packet(), takes_binary=False)
    pieces = b"".join(translate(binary_packet(), Packet3).pieces())
    assert answer(carrier) == (b"1:3" + pieces, "text/plain; charset=UTF-8")


def test_the_last_words_are_written_like_the_rest() -> None:
    carrier = carrier_with(text_packet(), takes_binary=True)
    carrier.close()
    assert answer(carrier) == (b"7:" + TEXT + b"1:1", "text/plain; charset=UTF-8")
    assert answer(carrier)[0] == b"1:6"
    carrier = carrier_with(binary_packet(), takes_binary=True)
    carrier.close()
    assert answer(carrier)[0].endswith(b"\x04\x01\x02\x00\x01\xff1")
    assert carrier.content_type == "application/octet-stream"
