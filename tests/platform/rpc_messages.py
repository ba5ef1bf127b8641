"""The messages between the Functions host and its worker, as far as the worker's runtime reads and writes them.

Runs in the worker's process only. Protobuf checks the types; field numbers are ours, for nothing goes over a wire.
"""

import re
from types import SimpleNamespace

from google.protobuf import duration_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "Rpc"
_SCALARS = {"string", "bytes", "bool", "int32", "sint64", "double"}
_IMPORTED = {"Duration": duration_pb2.DESCRIPTOR, "Timestamp": timestamp_pb2.DESCRIPTOR}

MESSAGES = {
    "StreamingMessage": "string request_id | content: WorkerInitRequest worker_init_request, "
    "WorkerInitResponse worker_init_response, FunctionsMetadataRequest functions_metadata_request, "
    "FunctionMetadataResponse function_metadata_response, FunctionLoadRequest function_load_request, "
    "FunctionLoadResponse function_load_response, InvocationRequest invocation_request, "
    "InvocationResponse invocation_response",
    "WorkerInitRequest": "string host_version, string{} capabilities, string function_app_directory",
    "WorkerInitResponse": "string{} capabilities, StatusResult result, WorkerMetadata worker_metadata",
    "WorkerMetadata": "string runtime_name, string runtime_version, string worker_version, string worker_bitness, "
    "string{} custom_properties",
    "FunctionsMetadataRequest": "string function_app_directory",
    "FunctionMetadataResponse": "RpcFunctionMetadata[] function_metadata_results, StatusResult result, "
    "bool use_default_metadata_indexing",
    "RpcFunctionMetadata": "string directory, string script_file, string entry_point, string name, "
    "BindingInfo{} bindings, bool is_proxy, string language, string[] raw_bindings, string function_id, "
    "bool managed_dependency_enabled, RpcRetryOptions retry_options, string{} properties",
    "BindingInfo": "string type, BindingInfo.Direction direction, BindingInfo.DataType data_type",
    "RpcRetryOptions": "int32 max_retry_count, Duration delay_interval, Duration minimum_interval, "
    "Duration maximum_interval, RpcRetryOptions.RetryStrategy retry_strategy",
    "FunctionLoadRequest": "string function_id, RpcFunctionMetadata metadata",
    "FunctionLoadResponse": "string function_id, StatusResult result",
    "InvocationRequest": "string invocation_id, string function_id, ParameterBinding[] input_data, "
    "TypedData{} trigger_metadata, RpcTraceContext trace_context, RetryContext retry_context",
    "InvocationResponse": "string invocation_id, ParameterBinding[] output_data, StatusResult result, "
    "TypedData return_value",
    "ParameterBinding": "string name | rpc_data: TypedData data",
    "TypedData": "| data: string string, string json, bytes bytes, RpcHttp http, sint64 int, double double",
    "RpcHttp": "string method, string url, string{} headers, TypedData body, string{} params, string status_code, "
    "string{} query, bool enable_content_negotiation, RpcHttpCookie[] cookies",
    "RpcHttpCookie": "string name, string value, NullableString domain, NullableString path, "
    "NullableTimestamp expires, NullableBool secure, NullableBool http_only, RpcHttpCookie.SameSite same_site, "
    "NullableDouble max_age",
    "NullableString": "| string: string value",
    "NullableDouble": "| double: double value",
    "NullableBool": "| bool: bool value",
    "NullableTimestamp": "| timestamp: Timestamp value",
    "RpcTraceContext": "string trace_parent, string trace_state, string{} attributes",
    "RetryContext": "int32 retry_count, int32 max_retry_count, RpcException exception",
    "StatusResult": "StatusResult.Status status, string result, RpcException exception",
    "RpcException": "string message, string stack_trace, string source",
}
"""Each message's fields: `type name`; `[]` is a list, `{}` a map from strings; after `|` the fields of a oneof."""

ENUMS = {
    "BindingInfo.Direction": ("in", "out", "inout"),
    "BindingInfo.DataType": ("undefined", "string", "binary", "stream"),
    "RpcRetryOptions.RetryStrategy": ("exponential_backoff", "fixed_delay"),
    "RpcHttpCookie.SameSite": ("None", "Lax", "Strict", "ExplicitNone"),
    "StatusResult.Status": ("Failure", "Success", "Cancelled"),
}


def messages() -> SimpleNamespace:
    """A class for each message: what the runtime calls `protos`."""
    pool = DescriptorPool()
    for imported in _IMPORTED.values():
        pool.AddSerializedFile(imported.serialized_pb)
    pool.Add(_file())
    types = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in MESSAGES}
    return SimpleNamespace(**{name: GetMessageClass(found) for name, found in types.items()})


def _file() -> FileDescriptorProto:
    imports = [imported.name for imported in _IMPORTED.values()]
    file = FileDescriptorProto(name="rpc.proto", package=_PACKAGE, syntax="proto3", dependency=imports)
    file.message_type.extend(_message(name, fields) for name, fields in MESSAGES.items())
    return file


def _message(name: str, text: str) -> DescriptorProto:
    message = DescriptorProto(name=name)
    plain, _, choice = text.partition("|")
    oneof, _, chosen = choice.partition(":")
    _add_fields(message, plain)
    if oneof:
        message.oneof_decl.add(name=oneof.strip())
        _add_fields(message, chosen, oneof_index=0)
    message.enum_type.extend(
        _enum(enum.partition(".")[2], values) for enum, values in ENUMS.items() if enum.startswith(f"{name}.")
    )
    return message


def _add_fields(message: DescriptorProto, text: str, **options: int) -> None:
    for told, repeated, name in re.findall(r"([\w.]+)(\[\]|\{\})? (\w+)", text):
        kind = _add_entry(message, name, told) if repeated == "{}" else told
        message.field.append(_field(name, len(message.field) + 1, kind, repeated=bool(repeated), **options))


def _add_entry(message: DescriptorProto, name: str, kind: str) -> str:
    """Declare what a map is made of; its type."""
    entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    entry.field.extend([_field("key", 1, "string"), _field("value", 2, kind)])
    return f"{message.name}.{entry.name}"


def _field(
    name: str, number: int, kind: str, *, repeated: bool = False, **options: int
) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    field = FieldDescriptorProto(name=name, number=number, label=label, **options)
    if kind in _SCALARS:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
        return field
    field.type = FieldDescriptorProto.TYPE_ENUM if kind in ENUMS else FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".google.protobuf.{kind}" if kind in _IMPORTED else f".{_PACKAGE}.{kind}"
    return field


def _enum(name: str, values: tuple[str, ...]) -> EnumDescriptorProto:
    enum = EnumDescriptorProto(name=name)
    for number, value in enumerate(values):
        enum.value.add(name=value, number=number)
    return enum
