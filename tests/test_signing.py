"""Signatures: equal to every published vector, recovered by a server, and the key never shown."""

import copy
import json
import pickle
import subprocess
import sys
import threading
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm.errors import ConfigError, InvariantError, WireError
from hypermm.hyperliquid import actions
from hypermm.hyperliquid.actions import (
    ALO,
    NoopAction,
    OrderAction,
    OrderWire,
    ScheduleCancelAction,
    Signature,
    UpdateIsolatedMarginAction,
    UsdSendAction,
    decode_request,
)
from hypermm.hyperliquid.signing import (
    ALLOWED,
    Nonces,
    Signer,
    address_of,
    connection_id,
    parse_key,
    recover,
)
from tests.exchange_requests import decode_action

KEY_TEXT = "0123456789" * 6 + "0123"  # a throw-away key
KEY = bytes.fromhex(KEY_TEXT)
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
NOOP = NoopAction()


@pytest.fixture(scope="module")
def vectors(data_dir):
    """Published and recorded signatures."""
    path = data_dir / "hyperliquid/fixtures/signature-vectors.json"
    return json.loads(path.read_text())["vectors"]


def typed(vector):
    """Return the vector's action as our type, as written; None for types that are none."""
    action = {"type": "usdSend", **vector["action"]}  # one source signs without a type
    if action["type"] == "dummy":
        return None
    return msgspec.convert(action, actions.ExchangeAction)


def numbers(signature):
    """Leading zeros may be missing."""
    return int(signature["r"], 16), int(signature["s"], 16), signature["v"]


def test_every_hash_equals_the_published_one(vectors):
    """The hash decides whose order it is; one other byte is a stranger's."""
    hashed = [vector for vector in vectors if vector["scheme"] == "l1"]

    for vector in hashed:
        rest = (vector["nonce"], vector["vaultAddress"], vector["expiresAfter"])
        for action in (vector["action"], typed(vector)):
            if action is not None:
                hashed_id = connection_id(action, *rest)
                assert "0x" + hashed_id.hex() == vector["connectionId"], vector["id"]
    assert len(hashed) == 38


def test_every_signature_equals_the_published_one(vectors):
    """RFC 6979 makes signatures comparable bit for bit."""
    signed = 0
    for vector in vectors:
        action = typed(vector)
        if vector.get("privateKey") and vector["scheme"] == "l1" and type(action) in ALLOWED:
            key = parse_key(vector["privateKey"])
            signer = Signer(key, is_mainnet=vector["phantomSource"] == "a")

            body = signer.sign(
                action,
                vector["nonce"],
                vault=vector["vaultAddress"],
                expires_after_ms=vector["expiresAfter"],
            )

            assert signer.address == vector["signer"]
            assert numbers(json.loads(body)["signature"]) == numbers(vector["signature"])
            signed += 1
    assert signed == 25


def test_every_signer_is_recovered(vectors):
    """L1 and user-signed actions, both networks, any chain id."""
    recovered = 0
    for vector in vectors:
        action = typed(vector)
        if action is not None and vector.get("signature"):
            address = recover(
                action,
                vector.get("nonce") or 0,
                Signature(**vector["signature"]),
                is_mainnet=vector.get("phantomSource") == "a",
                vault=vector.get("vaultAddress"),
                expires_after_ms=vector.get("expiresAfter"),
            )
            assert address == vector["signer"], vector["id"]
            recovered += 1
    assert recovered == 39


def test_a_client_that_hashes_padding_is_a_stranger(vectors):
    """The exchange hashes what it parsed: `2000.0` in the hash recovers another address."""
    padded = [vector for vector in vectors if vector["id"].startswith("rs-limit")]

    for vector in padded:
        action = decode_action(vector["action"])
        address = recover(
            action, vector["nonce"], Signature(**vector["signature"]), is_mainnet=True
        )
        assert address != vector["signer"]


# The body


def sample_action(cloid="0x" + "0" * 31 + "1"):
    return OrderAction([OrderWire(0, True, "64990", "0.001", False, ALO, cloid)])


@given(
    nonce=st.integers(0, 2**63 - 1),
    vault=st.none() | st.just(VAULT),
    expires_after_ms=st.none() | st.integers(0, 2**63 - 1),
    is_mainnet=st.booleans(),
)
def test_a_signed_body_is_what_a_server_recovers(nonce, vault, expires_after_ms, is_mainnet):
    """The whole path: signed bytes, parsed request, canonical hash, our address."""
    signer = Signer(KEY, is_mainnet=is_mainnet)
    action = sample_action()

    body = signer.sign(action, nonce, vault=vault, expires_after_ms=expires_after_ms)

    request = decode_request(body)
    assert (request.action, request.nonce) == (action, nonce)
    assert (request.vaultAddress, request.expiresAfter) == (vault, expires_after_ms)
    rest = {"vault": request.vaultAddress, "expires_after_ms": request.expiresAfter}
    found = recover(request.action, request.nonce, request.signature, is_mainnet=is_mainnet, **rest)
    assert found == signer.address == ADDRESS
    other = recover(
        request.action, request.nonce, request.signature, is_mainnet=not is_mainnet, **rest
    )
    assert other != ADDRESS


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**63 - 1))
def test_leading_zeros_of_a_signature_do_not_matter(key, nonce):
    """Some clients drop them; we write all 64 digits."""
    try:
        parse_key(key.hex())
    except ConfigError:
        return
    signature = json.loads(Signer(key, is_mainnet=True).sign(NOOP, nonce))["signature"]

    assert len(signature["r"]) == len(signature["s"]) == 66
    short = Signature(hex(int(signature["r"], 16)), hex(int(signature["s"], 16)), signature["v"])
    assert recover(NOOP, nonce, short, is_mainnet=True) == address_of(key)


@pytest.mark.parametrize(
    "signature",
    [
        Signature("0x0", "0x1", 27),
        Signature("0x1", "0x0", 27),
        Signature("0x" + "f" * 64, "0x1", 28),
        Signature("0x5", "0x7", 27),
        Signature("0x1", "0x1", 0),
        Signature("0x1", "0x1", 29),
    ],
)
def test_a_signature_of_nobody_is_refused(signature):
    """A broken signature is the exchange's 'Unable to recover signer.'."""
    with pytest.raises(WireError, match=r"Unable to recover signer\."):
        recover(NOOP, 1, signature, is_mainnet=True)


@pytest.mark.parametrize(
    "action",
    [
        UsdSendAction(
            signatureChainId="0x1",
            hyperliquidChain="Mainnet",
            destination=VAULT,
            amount="1",
            time=1,
        ),
        actions.VaultTransferAction(VAULT, True, 1),
        actions.ReserveRequestWeightAction(1),
        actions.AgentSendAssetAction(ADDRESS, "", "spot", "USDC", "1", "", 1),
        {"type": "order"},
        None,
    ],
)
def test_only_the_short_list_is_signed(action):
    """A market maker's key moves no funds, whatever goes wrong above."""
    with pytest.raises(InvariantError, match="list of signed actions"):
        Signer(KEY, is_mainnet=True).sign(action, 1)


@pytest.mark.parametrize(
    "action", [NOOP, ScheduleCancelAction(), UpdateIsolatedMarginAction(0, True, -(2**40))]
)
def test_integers_are_hashed_in_the_sdks_widths(action):
    """Above 32 bits as 64, negative ones too; optional keys are left out."""
    for nonce in (0, 2**32, 2**62):
        body = decode_request(Signer(KEY, is_mainnet=True).sign(action, nonce))
        assert recover(action, nonce, body.signature, is_mainnet=True) == ADDRESS


# The key


@pytest.mark.parametrize("prefix", ["", "0x"])
def test_a_key_is_read_with_or_without_prefix(prefix):
    """Both are in use, in either case."""
    assert parse_key(prefix + KEY_TEXT) == KEY
    assert parse_key(prefix + "AB" * 32) == bytes.fromhex("ab" * 32)
    assert address_of(KEY) == ADDRESS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        KEY_TEXT + "\n",
        " " + KEY_TEXT,
        KEY_TEXT[:-1],
        KEY_TEXT + "0",
        "0X" + KEY_TEXT,
        "g" * 64,
        "١" * 64,
        "0" * 64,
        "f" * 64,
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    ],
)
def test_a_bad_key_is_refused_without_being_shown(text):
    """The message goes to logs; the value must not."""
    with pytest.raises(ConfigError) as caught:
        parse_key(text)

    message = str(caught.value) + repr(caught.value)
    assert "0123456789" not in message
    assert len(text) < 9 or text.strip() not in message


def test_a_signer_shows_and_gives_away_nothing():
    """No repr, no pickle, no copy, no attributes to walk: the key stays in one place."""
    signer = Signer(KEY, is_mainnet=True)

    for text in (repr(signer), str(signer), f"{signer}"):
        assert text == "Signer()"
    assert not hasattr(signer, "__dict__")
    for give_away in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            give_away(signer)
        assert KEY_TEXT not in str(caught.value)


def test_an_error_while_signing_shows_no_key():
    """Neither does the traceback's text."""
    with pytest.raises(OverflowError) as caught:
        Signer(KEY, is_mainnet=True).sign(sample_action(), -1)

    assert KEY_TEXT not in str(caught.value) + repr(caught.value)


def test_a_signature_prints_nothing():
    """An undelivered signature can be replayed for two days."""
    signature = Signature("0x1234", "0x5678", 27)

    assert repr(signature) == str(signature) == "Signature()"


# Nonces


@given(st.integers(0, 2**42), st.lists(st.integers(0, 2**42)))
def test_nonces_never_repeat_and_never_step_back(high_water, clock):
    """The clock may stand still or run back; the exchange takes each nonce once."""
    nonces = Nonces(high_water)

    made = [nonces.next(wall_ms) for wall_ms in clock]

    assert all(a < b for a, b in pairwise([high_water, *made]))
    assert all(nonce >= wall_ms for nonce, wall_ms in zip(made, clock, strict=True))
    assert nonces.high_water == max([high_water, *made])


def test_nonces_follow_the_clock_when_they_can():
    """They have to stay inside the exchange's window of time."""
    nonces = Nonces(1_000)

    assert [nonces.next(wall) for wall in (5_000, 5_000, 4_000, 9_000)] == [
        5_000, 5_001, 5_002, 9_000,
    ]  # fmt: skip


# The slow libraries

SLOW = """
import sys
sys.modules["coincurve"] = sys.modules["sha3"] = None  # as where there is no native package
from hypermm.hyperliquid import curve, signing
from hypermm.hyperliquid.actions import NoopAction, decode_request
assert "eth_keys" in curve.Curve.__init__.__globals__["_PrivateKey"].__module__
body = signing.Signer(signing.parse_key(sys.argv[1]), is_mainnet=True).sign(NoopAction(), 5)
request = decode_request(body)
print(body.decode())
print(signing.recover(NoopAction(), 5, request.signature, is_mainnet=True))
for r, s, v in (("0x0", "0x1", 27), ("0x" + "f" * 64, "0x1", 28), ("0x5", "0x7", 27)):
    try:
        signing.recover(NoopAction(), 5, signing.Signature(r, s, v), is_mainnet=True)
    except signing.WireError as error:
        print(error)
"""


def test_the_slow_libraries_sign_and_recover_the_same():
    """A platform without the native packages makes the same bits, only slower."""
    ran = subprocess.run(
        [sys.executable, "-c", SLOW, KEY_TEXT], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    body, address, *refused = ran.stdout.splitlines()
    assert body.encode() == Signer(KEY, is_mainnet=True).sign(NOOP, 5)
    assert address == ADDRESS
    assert refused == ["Unable to recover signer."] * 3


def test_one_signer_serves_many_threads():
    """Nothing is kept between two signatures that a second one could overwrite."""
    signer = Signer(KEY, is_mainnet=True)
    expected = [signer.sign(NOOP, nonce) for nonce in range(50)]
    wrong = []

    def sign_all():
        made = [signer.sign(NOOP, nonce) for nonce in range(50)]
        wrong.extend(a for a, b in zip(made, expected, strict=True) if a != b)

    threads = [threading.Thread(target=sign_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
