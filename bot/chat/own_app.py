"""The ways to link: the host's app, an app of the member's own, or a seat to ask for; and the two forms for that."""

from __future__ import annotations

from collections.abc import Sequence

from discord import ButtonStyle

from bot.accounts.linking import Linking
from bot.accounts.seats import EMAIL_MAX, NAME_MAX, SeatKeeper
from bot.caller import Caller, MemberId
from bot.chat.cards import Card, text_card
from bot.chat.components import Audience, Component, CustomId, Form
from bot.chat.features import Feature
from bot.chat.modals import Modal, text_input
from bot.chat.parts import Part, button, link_button
from bot.chat.reply import Interaction, Reply, Visibility
from bot.chat.words import Words, soon
from bot.errors import AppTaken, NotAClientId, NotAnAddress, RedirectMissing, UnknownApp, UserError
from bot.private import Private


class Ways(Private, frozen=True):
    """The ways to link that are open to a member. No repr: the buttons lead to one-time links.

    `buttons`: the likely one first. `note`: why the host's app is not among them; empty where it is.
    """

    buttons: tuple[Part, ...]
    note: str


class OwnApp:
    """Offers the ways to link, and takes what members fill in for them."""

    def __init__(self, linking: Linking, seats: SeatKeeper, total: int, reply: Reply) -> None:
        """`total`: how many seats the host's app has; 0: any number."""
        self._linking = linking
        self._seats = seats
        self._total = total
        self._reply = reply

    async def ways(self, caller: Caller, label: str, *, all_: bool = False) -> Ways:
        """What to link through. `label`: of the first button. `all_`: also the form for those who have a client ID."""
        t, member = self._reply.words(caller.locale).t, caller.member_id
        offer = await self._linking.offer(caller)
        own = link_button(offer.own_app_url, t("Use my own Spotify app"))
        form = (button(t("Enter client ID"), CustomId("own-app", member)),) if all_ else ()
        if offer.renew_url is not None:
            host = () if offer.host_url is None else (link_button(offer.host_url, t("Use the bot's app")),)
            other = (link_button(offer.own_app_url, t("Use another Spotify app")),) if all_ else ()
            return Ways((link_button(offer.renew_url, label), *host, *other, *form), "")
        if offer.host_url is not None:
            return Ways((link_button(offer.host_url, label), own, *form), "")
        if not offer.has_host_app:
            note = t("This bot has no Spotify app, so each member uses their own. That needs Spotify Premium.")
            return Ways((own, *form), note)
        note = t.plural(
            "The only seat in this bot's Spotify app is taken. Ask the host for a seat, or use your own Spotify app, "
            "which needs Spotify Premium.",
            "All {count} seats in this bot's Spotify app are taken. Ask the host for a seat, or use your own Spotify "
            "app, which needs Spotify Premium.",
            self._total,
        )
        return Ways((own, *form, button(t("Ask for a seat"), CustomId("seat-form", member))), note)

    # -- the client id of an own app

    async def open_own_app(self, interaction: Interaction, caller: Caller, owner: MemberId) -> None:
        """Open the form for the client ID."""
        t = self._reply.words(caller.locale).t
        modal = Modal(
            CustomId("own-app-id", owner),
            t("Your own Spotify app"),
            text_input(
                "client_id",
                t("Client ID"),
                description=t("32 characters, from your app's settings. Not the secret."),
                most=100,
            ),
        )
        await self._reply.show(interaction, modal, name="button own-app")

    async def take_own_app(self, interaction: Interaction, caller: Caller, owner: MemberId, form: Form) -> None:
        """The form came back: check the app, and show the link that goes on through it."""
        await self._reply(
            interaction,
            self._checked_app(caller, form.text("client_id")),
            name="modal own-app",
            visibility=Visibility.PRIVATE,
        )

    async def _checked_app(self, caller: Caller, client_id: str) -> Sequence[Card]:
        words = self._reply.words(caller.locale)
        self._reply.check_open()
        try:
            url = await self._linking.start_own_app(caller, client_id)
        except (NotAClientId, UnknownApp, RedirectMissing, AppTaken) as error:
            return [self._again(words, error, words.t("Enter client ID"), CustomId("own-app", caller.member_id))]
        text = words.t("Spotify knows your app, and its redirect URI is right. Now link your account through it.")
        return [text_card(f"{text}\n{words.consent()}", link_button(url, words.t("Link Spotify")))]

    # -- a seat of the host's app

    async def open_seat(self, interaction: Interaction, caller: Caller, owner: MemberId) -> None:
        """Open the form for name and e-mail address."""
        t = self._reply.words(caller.locale).t
        modal = Modal(
            CustomId("seat-ask", owner),
            t("Ask for a seat"),
            text_input(
                "name",
                t("Your name"),
                description=t("Spotify's list of users needs a name. Any name will do."),
                most=NAME_MAX,
            ),
            text_input(
                "email",
                t("Your e-mail address at Spotify"),
                description=t("Only the host sees it. It is deleted after 14 days at the latest."),
                most=EMAIL_MAX,
            ),
        )
        await self._reply.show(interaction, modal, name="button seat-form")

    async def take_seat(self, interaction: Interaction, caller: Caller, owner: MemberId, form: Form) -> None:
        """The form came back: ask every host."""
        hosts: list[MemberId] = interaction.client.hosts()
        await self._reply(
            interaction, self._asked(caller, form, hosts), name="modal seat-ask", visibility=Visibility.PRIVATE
        )

    async def _asked(self, caller: Caller, form: Form, hosts: Sequence[MemberId]) -> Sequence[Card]:
        words, member = self._reply.words(caller.locale), caller.member_id
        self._reply.check_open()
        if (again_at := await self._seats.can_ask(member)) is not None:
            text = words.t(
                "You have already asked the host for a seat. You can ask again {when}, for example to correct your "
                "e-mail address.",
                when=soon(again_at),
            )
            return [text_card(text)]
        try:
            await self._seats.ask(caller, form.text("name"), form.text("email"), hosts)
        except NotAnAddress as error:
            return [self._again(words, error, words.t("Ask for a seat"), CustomId("seat-form", member))]
        text = words.t(
            "I sent your name and e-mail address to the host. I will message you when you have a seat. What you asked "
            "for stays queued until then."
        )
        return [text_card(text)]

    def _again(self, words: Words, error: UserError, label: str, custom_id: CustomId) -> Card:
        return text_card(words.error(error), button(label, custom_id, ButtonStyle.primary))


def feature(own_app: OwnApp) -> Feature:
    """The buttons and forms of this module."""
    components = (
        Component("own-app", (MemberId,), own_app.open_own_app, Audience.OWNER),
        Component("own-app-id", (MemberId,), own_app.take_own_app, Audience.OWNER, inputs=("client_id",)),
        Component("seat-form", (MemberId,), own_app.open_seat, Audience.OWNER),
        Component("seat-ask", (MemberId,), own_app.take_seat, Audience.OWNER, inputs=("name", "email")),
    )
    return Feature("own app", (), components)
