"""pbwire: protobuf messages by a schema file, decoded into what can be looked at, changed and encoded again.

A message is a list of [name, value] in the order of the file; a sub-message is such a list, a packed field a list of
numbers, strings are bytes until text() is asked for. Anything that the schema does not know, or that has another wire
type, is a Broken."""
import re

VARINT, FIXED64, DELIMITED = 0, 1, 2
SCALARS = {"uint64", "uint32", "int64", "int32", "bool"}


class Broken(Exception):
    pass


class Schema:
    def __init__(self, path):
        self.messages = {}
        text = re.sub(r"//.*", "", open(path, encoding="utf-8").read())
        for name, body in re.findall(r"message (\w+) \{(.*?)\}", text, re.S):
            fields = {}
            for label, kind, field, number, packed in re.findall(
                    r"(optional|repeated) (\w+) (\w+) = (\d+)( \[packed = true\])?;", body):
                fields[int(number)] = (field, kind, label == "repeated", bool(packed))
            self.messages[name] = fields
        self.numbers = {m: {f[0]: (n, f) for n, f in fields.items()} for m, fields in self.messages.items()}

    def decode(self, message, data):
        out, at, seen = [], 0, set()
        while at < len(data):
            key, at = varint(data, at)
            number, wire = key >> 3, key & 7
            if number not in self.messages[message]:
                raise Broken("%s has an unknown field %d" % (message, number))
            field, kind, repeated, packed = self.messages[message][number]
            if field in seen and not repeated:
                raise Broken("%s.%s stands twice" % (message, field))
            seen.add(field)
            wanted = DELIMITED if packed else VARINT if kind in SCALARS else \
                FIXED64 if kind in ("fixed64", "double") else DELIMITED
            if wire != wanted:
                raise Broken("%s.%s has wire type %d" % (message, field, wire))
            if wire == VARINT:
                value, at = varint(data, at)
            elif wire == FIXED64:
                if at + 8 > len(data):
                    raise Broken("%s.%s is cut off" % (message, field))
                value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
            else:
                size, at = varint(data, at)
                if at + size > len(data):
                    raise Broken("%s.%s is cut off" % (message, field))
                value, at = data[at:at + size], at + size
                if packed:
                    numbers, i = [], 0
                    while i < len(value):
                        n, i = varint(value, i)
                        numbers.append(n)
                    value = numbers
                elif kind in self.messages:
                    value = self.decode(kind, value)
                elif kind == "string":
                    try:
                        value.decode("utf-8")
                    except UnicodeDecodeError:
                        raise Broken("%s.%s is no UTF-8" % (message, field)) from None
            out.append([field, value])
        return out

    def encode(self, message, fields):
        out = bytearray()
        for field, value in fields:
            number, (_, kind, _, packed) = self.numbers[message][field]
            if packed:
                value = b"".join(to_varint(n) for n in value)
            elif kind in self.messages:
                value = self.encode(kind, value)
            if isinstance(value, (bytes, bytearray)):
                out += to_varint(number << 3 | DELIMITED) + to_varint(len(value)) + value
            elif kind in ("fixed64", "double"):
                out += to_varint(number << 3 | FIXED64) + value.to_bytes(8, "little")
            else:
                out += to_varint(number << 3 | VARINT) + to_varint(value)
        return bytes(out)


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Broken("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def to_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def get(message, field, default=None):
    for name, value in message:
        if name == field:
            return value
    return default


def every(message, field):
    return [value for name, value in message if name == field]


def has(message, field):
    return any(name == field for name, _ in message)


def text(message, field):
    value = get(message, field)
    return None if value is None else value.decode("utf-8")
