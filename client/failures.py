"""From what went wrong on the wire to the one typed error of `client.errors`."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from client.errors import (
    ClientError,
    ConnectionLost,
    ConnectionRefused,
    ContractProblem,
    FormInvalid,
    NameUnknown,
    ProxyFailed,
    ServiceBusy,
    ServiceFailed,
    ServiceNonsense,
    ServiceProblem,
    ServiceUnavailable,
    SignInPaused,
    TimedOut,
    TlsExpired,
    TlsFailed,
    TlsUntrusted,
    TlsWrongName,
)

if TYPE_CHECKING:
    from client.line import Answer

PROBLEMS: dict[str, type[ContractProblem]] = {
    problem.code: problem for problem in ContractProblem.__subclasses__()
}
EXPIRED = frozenset(
    {
        9,  # X509_V_ERR_CERT_NOT_YET_VALID
        10,  # X509_V_ERR_CERT_HAS_EXPIRED
        -67818,  # errSecCertificateExpired (macOS, through truststore)
        0x800B0101,  # CERT_E_EXPIRED (Windows, through truststore)
    }
)
WRONG_NAME = frozenset(
    {
        62,  # X509_V_ERR_HOSTNAME_MISMATCH
        64,  # X509_V_ERR_IP_ADDRESS_MISMATCH
        -67602,  # errSecHostNameMismatch
        0x800B010F,  # CERT_E_CN_NO_MATCH
    }
)


def from_exception(error: BaseException, host: str, *, proxied: bool) -> ClientError:
    """The typed error for what httpx raised before or while an answer came.

    `proxied` says that the TCP connection was to a proxy, whose own troubles are ProxyFailed.
    """
    import h11
    import httpx

    chain = tuple(_chain(error))
    for cause in chain:
        if isinstance(cause, ClientError):
            return cause
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, host)
    if isinstance(error, httpx.ProxyError):
        return ProxyFailed(host)
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(host)
    if isinstance(error, httpx.ConnectError):
        if any(isinstance(cause, ssl.SSLError) for cause in chain):
            return TlsFailed(host)
        if proxied:
            return ProxyFailed(host)
        if any(isinstance(cause, socket.gaierror) for cause in chain):
            return NameUnknown(host)
        if any(isinstance(cause, ConnectionResetError | BrokenPipeError) for cause in chain):
            return ConnectionLost(host)
        return ConnectionRefused(host)
    if isinstance(error, httpx.RemoteProtocolError) and any(
        isinstance(cause, h11.RemoteProtocolError) for cause in chain
    ):
        return ServiceNonsense()
    return ConnectionLost(host)


def from_answer(answer: Answer) -> ClientError:
    """The typed error for an answer that is not the one the contract promises for success."""
    import msgspec

    from client import wire

    problem: wire.Problem | None = None
    if answer.media_type == "application/problem+json" and answer.status >= 400:
        try:
            problem = msgspec.json.decode(answer.body, type=wire.Problem)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            problem = None
    known = PROBLEMS.get(problem.code) if problem else None
    if problem and known is SignInPaused:
        return SignInPaused(problem.retry_after or answer.retry_after)
    if problem and known is FormInvalid:
        return FormInvalid(",".join(problem.fields))
    if known is not None:
        return known()
    if answer.status == 429:
        return ServiceBusy(problem.retry_after if problem else answer.retry_after)
    if answer.status in (502, 503, 504):
        return ServiceUnavailable()
    if answer.status >= 500:
        return ServiceFailed()
    return ServiceProblem(answer.status) if problem else ServiceNonsense()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> ClientError:
    code = getattr(error, "verify_code", 0)
    if code in EXPIRED:
        return TlsExpired(host)
    return TlsWrongName(host) if code in WRONG_NAME else TlsUntrusted(host)
