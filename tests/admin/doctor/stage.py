"""A host's machine for the doctor to look at: both platforms, a database, and https with certificates of our own."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.admin.doctor import CheckEnvironment, CheckResult, Verdict, examine
from bot.settings import Settings, read_key
from bot.storage import open_storage
from bot.storage.links import Link
from tests.world import ADA, KEY, SPOTIFY_ID, World

OK, WARNING, FAILED, SKIPPED = Verdict


@dataclass
class Practice:
    """One machine. `changes`: settings of this examination alone."""

    world: World
    env_file: Path | None = None
    environment: CheckEnvironment = field(default_factory=CheckEnvironment)

    @property
    def database(self) -> Path:
        return self.world.settings.database_path

    async def found(self, **changes: Any) -> dict[str, CheckResult]:
        """Every finding by its name; none twice, and no secret in any."""
        settings: Settings = attrs.evolve(self.world.settings, **changes)
        results = [result async for result in examine(lambda: settings, self.env_file, self.environment)]
        by_name = {result.name: result for result in results}
        assert len(by_name) == len(results)
        real = {secret for secret in settings.secrets() if len(secret) > 8}
        secrets = {*real, *self.world.spotify.secrets, *self.world.discord.secrets} - {"gatefold-doctor"}
        assert [secret for secret in secrets if secret in repr(results)] == []
        for result in results:
            assert result.sentence.endswith((".", "?")), result
            assert bool(result.to_do) == (result.verdict in (WARNING, FAILED)) or result.verdict is SKIPPED
        return by_name

    async def one(self, name: str, **changes: Any) -> CheckResult:
        return (await self.found(**changes))[name]

    async def used(self, *accounts: str, client_id: str = SPOTIFY_ID, fresh: bool = True, keys: str = KEY) -> None:
        """Members have linked these accounts, and no bot runs any more. `fresh`: their access is still good."""
        storage = await open_storage(self.database, [read_key(keys)])
        try:
            taken = await storage.database.read(lambda c: c.execute("SELECT count(*) FROM links").fetchone()[0])
            for member, account in enumerate(accounts, ADA + taken):
                known = self.world.spotify.add_account(account, account_id=f"acc-{account}", display_name=account)
                access, refresh = self.world.spotify.issue_tokens(account)
                now = datetime.now(UTC)
                link = Link(member, client_id, str(known.account_id), account, now, now, None)
                until = now + timedelta(hours=1 if fresh else -1)
                await storage.links.put(link, access, refresh, until)
        finally:
            await storage.close()


class Authority:
    """Certificates for 127.0.0.1, by an authority that only `trusted` knows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The tests' authority")])
        certificate = self._signed(self._name, self._key.public_key(), timedelta(days=365), is_authority=True)
        self.trusted = ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())

    def serves(self, lives: timedelta, address: str = "127.0.0.1") -> ssl.SSLContext:
        """What a server needs that has a certificate which ends within this time."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        certificate = self._signed(name, key.public_key(), lives, address=address)
        pem = serialization.Encoding.PEM
        file = self._folder / "server.pem"
        file.write_bytes(
            certificate.public_bytes(pem)
            + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        lives: timedelta,
        *,
        is_authority: bool = False,
        address: str = "127.0.0.1",
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + lives)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=is_authority,
                    crl_sign=is_authority,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        if not is_authority:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


@asynccontextmanager
async def proxied(context: ssl.SSLContext, port: int) -> AsyncIterator[str]:
    """An https proxy on this machine that hands everything to a port; its address."""
    pipes: set[asyncio.Task[None]] = set()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        pipes.add(task)
        ends = [writer]
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            ends.append(back)
            await asyncio.gather(pipe(reader, back), pipe(there, writer))
        except OSError:
            pass  # nobody listens at the port
        finally:
            pipes.discard(task)
            for end in ends:
                end.transport.abort()

    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in pipes:
            task.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
