"""A whole answer given to the server at once.

Through `send` it goes in two messages, three writes and a loop over the headers, which is more than
all that the front does. This does the same in one step, for the one server that we run; any other
`send` gets the messages.
"""

from starlette.types import Message, Send
from uvicorn.protocols.http.zttp_impl import RequestResponseCycle


async def send_answer(send: Send, start: Message, body: Message) -> None:
    """Send an answer that has its Content-Length, or no body."""
    cycle = getattr(send, "__self__", None)
    if type(cycle) is RequestResponseCycle and not cycle.flow.write_paused:
        if not cycle.disconnected:
            _send_at_once(cycle, start["status"], start["headers"], body["body"])
        return
    await send(start)
    await send(body)


def _send_at_once(
    cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """What `cycle.send` does for the two messages."""
    connection, transport = cycle.conn, cycle.transport
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    connection.send_response(status, cycle.default_headers + headers)
    if body:
        connection.send_data(body)
    connection.end_message()
    transport.write(connection.data_to_send())
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive or connection.should_close():
        transport.close()
    cycle.on_response()
