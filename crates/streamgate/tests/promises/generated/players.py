"""Uses clients that openapi-python-client has generated, against a real server.

Arguments: the server's URL. The packages lie beside this file. Every call goes through the generated
code only; where an assertion fails, a client of that generator would not work.
"""

import sys
from datetime import datetime, timezone

from concurrency_service import Client as ConcurrencyClient
from concurrency_service.api.default import start_session as concurrency_start
from core import AuthenticatedClient
from core.api.sessions import (
    heartbeat,
    list_sessions_of_user,
    start_named_session,
    start_session,
    stop_session,
)
from core.api.tokens import mint_token
from core.api.users import list_users, set_user
from core.models import (
    HeartbeatAnswer,
    LimitReached,
    MintedToken,
    Problem,
    SessionEnded,
    StartAnswer,
    StartBody,
    TokenRequest,
    UserChange,
    UserSessions,
)
from core.types import UNSET
from session_tracker import Client as TrackerClient
from session_tracker.api.default import add_session, remove_session
from session_tracker.models import Message
from stream_log import Client as LogClient
from stream_log.api.default import end_stream, start_stream
from stream_log.models import FailedAnswer, StartedAnswer, Viewer, Watched
from stream_requests import Client as RequestsClient
from stream_requests.api.default import create_user, get_all_users, get_user, remove_user, request_stream
from stream_requests.models import NewUser, OldUser, StreamRequest, User
from user_streams import Client as StreamsClient
from user_streams.api.default import reset_user
from user_streams.api.default import start_session as user_start
from user_streams.models import Failed, Streams

url = sys.argv[1]
client = AuthenticatedClient(base_url=url, token="the-key-of-the-test")


def say(what, condition, found):
    assert condition, f"{what}: {found}"


# A start, with one body for both ways to ask.
started = start_session.sync("ann", client=client, body=StartBody(device_id="tv"))
say("POST", isinstance(started, StartAnswer), started)
named = start_named_session.sync("ann", "s2", client=client, body=StartBody(content_id="film"))
say("PUT", isinstance(named, StartAnswer) and named.limit == 3, named)
bare = start_named_session.sync("ann", "s3", client=client, body=UNSET)
say("PUT without a body", isinstance(bare, StartAnswer) and bare.active == 3, bare)

# The refusal is a type of its own, and says which.
refused = start_named_session.sync("ann", "s4", client=client, body=StartBody())
say("refusal", isinstance(refused, LimitReached), refused)
say("refusal", (refused.code, refused.status) == ("limit_reached", 409), refused)
say("rule", (refused.rule, refused.limit) == ("limit", 3), refused)
say("conflict", "s2" in [session.session_id for session in refused.sessions], refused)

# Heartbeats, of a live session, an ended one and one that never was.
renewed = heartbeat.sync("ann", "s2", client=client)
say("heartbeat", isinstance(renewed, HeartbeatAnswer) and renewed.active == 3, renewed)
say("stop", stop_session.sync_detailed("ann", "s2", client=client).status_code == 204, None)
ended = heartbeat.sync("ann", "s2", client=client)
say("ended", isinstance(ended, SessionEnded), ended)
say("ended", (ended.code, ended.reason) == ("session_ended", "stopped"), ended)
unknown = heartbeat.sync("ann", "never", client=client)
say("unknown", isinstance(unknown, Problem) and unknown.code == "session_unknown", unknown)

# What is left out of a change stays as it is.
set_user.sync("ann", client=client, body=UserChange(plan="basic"))
changed = set_user.sync("ann", client=client, body=UserChange(limit=5))
say("change", (changed.plan, changed.limit) == ("basic", 5), changed)
cleared = set_user.sync("ann", client=client, body=UserChange(plan=None))
say("clear", (cleared.plan, cleared.limit) == (None, 5), cleared)
listed = list_sessions_of_user.sync("ann", client=client)
say("list", isinstance(listed, UserSessions) and listed.active == 2, listed)
users = list_users.sync(client=client)
say("users", users.next_cursor is None and users.users[0].limit_source == "user", users)
wrong = start_named_session.sync("ann", "s5", client=client, body=StartBody(device_id=""))
say("invalid", isinstance(wrong, Problem) and wrong.errors[0].field == "device_id", wrong)

# A token, and what its bearer may do.
minted = mint_token.sync("ann", client=client, body=TokenRequest(ttl_s=60))
say("mint", isinstance(minted, MintedToken) and minted.token_type == "Bearer", minted)
say("expiry", minted.expires_at > datetime.now(timezone.utc), minted)
viewer = AuthenticatedClient(base_url=url, token=minted.token)
mine = list_sessions_of_user.sync("ann", client=viewer)
say("viewer", isinstance(mine, UserSessions) and mine.user_id == "ann", mine)
other = list_sessions_of_user.sync("bob", client=viewer)
say("another user", isinstance(other, Problem) and other.code == "forbidden", other)


def dialect(kind, name):
    """A client of a dialect, with the key of the test."""
    return kind(base_url=f"{url}/compat/{name}", headers={"x-api-key": "the-key-of-the-test"})


# A dialect whose refusal is a text under the media type of JSON.
gateway = dialect(ConcurrencyClient, "concurrency-service")
for count in range(1, 4):
    counted = concurrency_start.sync("dev", "bob", f"s{count}", client=gateway)
    say("count", counted.concurrent_sessions == count, counted)
refused = concurrency_start.sync_detailed("dev", "bob", "s4", client=gateway)
say("gateway", refused.status_code == 400, refused)
say("gateway", b"trying to watch 4 streams" in refused.content, refused)

# A dialect whose streams are ended under the name that the start told.
log = dialect(LogClient, "stream-log")
for user in ["cat", 7]:
    stream = start_stream.sync("dev", client=log, body=Viewer(user_id=user))
    say("stream", isinstance(stream, StartedAnswer) and stream.message.user_id == user, stream)
    watched = Watched(user_id=user, stream_id=stream.message.stream_id)
    over = end_stream.sync_detailed("dev", client=log, body=watched)
    say("end", over.status_code == 204, over)
    again = end_stream.sync("dev", client=log, body=watched)
    say("end again", isinstance(again, FailedAnswer) and again.status_code == 404, again)

# A dialect whose users and streams are named by texts or by whole numbers, and that answers in sentences.
requests = dialect(RequestsClient, "stream-requests")
for user, stream in [("ivy", "Film"), (10, 7)]:
    new = NewUser(name="Ivy", subscription="basic plan", id=user)
    created = create_user.sync(client=requests, body=new)
    say("create", created == "Ivy created", created)
    asked = StreamRequest(id=user, stream=stream)
    begun = request_stream.sync(client=requests, body=asked)
    say("request", begun == f"Request for {stream} succesful", begun)
    found = get_user.sync(client=requests, id=str(user))
    say("user", isinstance(found, User) and found.name == "Ivy", found)
    say("watching", found.status.online.streams.watching == [str(stream)], found)
    everybody = get_all_users.sync(client=requests).users.additional_properties
    say("everybody", everybody[str(user)] == found, everybody)
    gone = remove_user.sync(client=requests, body=OldUser(id=user))
    say("remove", gone == f"user {user} successfully deleted", gone)

# A dialect that says in the same answer who is watching.
streams = dialect(StreamsClient, "user-streams")
for count in range(1, 5):
    watching = user_start.sync("joe", f"s{count}", client=streams)
    say("allow", isinstance(watching, Streams) and watching.allow == (count < 4), watching)
    say("who", watching.session_ids == [f"s{n}" for n in range(1, min(count, 3) + 1)], watching)
say("reset", reset_user.sync_detailed("joe", client=streams).status_code == 204, None)
nobody = reset_user.sync("nobody", client=streams)
say("nobody", isinstance(nobody, Failed) and nobody.error.code == "ENTITY_NOT_FOUND", nobody)

# A dialect that only counts.
tracker = dialect(TrackerClient, "session-tracker")
added = add_session.sync(client=tracker, user_id="kim")
say("add", added == Message("Number of active session incremented to 1"), added)
removed = remove_session.sync(client=tracker, user_id="kim")
say("remove", removed == Message("Number of active session decremented to 0"), removed)

print("played")
