"""A one-node ONNX model, written in protobuf's wire format: the `onnx` package would be needed for nothing else.

Field numbers are those of onnx.proto.
"""

FLOAT, INT8 = 1, 3  # TensorProto.DataType
INT_ATTRIBUTE = 2  # AttributeProto.AttributeType.INT
OPSET = 13
IR_VERSION = 7


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def field(number: int, value: int | str | bytes) -> bytes:
    """An integer, a text or an embedded message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def value_info(name: str, element_type: int) -> bytes:
    """A tensor of any shape."""
    return field(1, name) + field(2, field(1, field(1, element_type)))


def quantize_linear_model() -> bytes:
    """The model y int8 = QuantizeLinear(x, scale, zero_point) along axis 0, which a scalar scale ignores."""
    axis = field(1, "axis") + field(3, 0) + field(20, INT_ATTRIBUTE)
    inputs = {"x": FLOAT, "scale": FLOAT, "zero_point": INT8}
    node = b"".join(field(1, name) for name in inputs)
    node += field(2, "y") + field(4, "QuantizeLinear") + field(5, axis)
    graph = field(1, node) + field(2, "quantize")
    graph += b"".join(field(11, value_info(name, kind)) for name, kind in inputs.items())
    graph += field(12, value_info("y", INT8))
    return field(1, IR_VERSION) + field(7, graph) + field(8, field(2, OPSET))
