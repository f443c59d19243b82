"""Files at a URI (`s3://`, `gs://`, ...): listed, read and written as local files are.

Uses the file systems of pyarrow, and those of fsspec for the schemes that pyarrow does not know.
Needs the `ray` extra. Credentials, region and endpoint come from the environment.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import islice
from urllib.parse import unquote, urlencode, urlsplit

from pyarrow import ArrowInvalid
from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, FSSpecHandler, PyFileSystem

from ..errors import EdgeRuntimeError, InputError, MissingExtraError, one_line
from ..inputs.files import is_uri as is_uri
from ..inputs.formats import ENDINGS, has_ending

_AHEAD = 32  # files requested at a time, to hide the latency of a store
_MAX_OBJECT_BYTES = 1 << 30  # more than --max-pixels can allow, uncompressed


def plain(path: str) -> str:
    """Turn a `file://` URI into the local path; return anything else as it is."""
    return unquote(urlsplit(path).path) if path.startswith("file://") else path


def resolve(uri: str) -> tuple[FileSystem, str]:
    """The file system that a URI or a local path is on, and the path there.

    The key behind `scheme://host/` is taken literally: no `%20`, no query. Raises EdgeRuntimeError.
    """
    if not is_uri(uri):
        return _file_system("file:///")[0], os.path.abspath(uri)
    scheme, _, rest = uri.partition("://")
    host, _, key = rest.partition("/")
    system, base = _file_system(f"{scheme}://{host}")
    return system, f"{base.rstrip('/')}/{key}".rstrip("/")


@cache
def _file_system(root: str) -> tuple[FileSystem, str]:
    try:
        return FileSystem.from_uri(root + _s3_query(root))  # type: ignore[no-any-return]
    except ArrowInvalid:
        pass  # none of pyarrow's
    except OSError as error:
        raise EdgeRuntimeError(f"{root}: {one_line(error)}") from None
    from fsspec.core import url_to_fs

    try:
        system, base = url_to_fs(root)
    except ImportError as error:  # it names the library of the scheme
        raise MissingExtraError(f"{root}: {one_line(error)}") from None
    except (ValueError, OSError) as error:  # an unknown scheme
        raise EdgeRuntimeError(f"{root}: {one_line(error)}") from None
    return PyFileSystem(FSSpecHandler(system)), base


def _s3_query(root: str) -> str:
    """The region and endpoint that the AWS tools take from the environment, for pyarrow."""
    if not root.startswith("s3://"):
        return ""
    of = os.environ.get
    region = of("AWS_REGION") or of("AWS_DEFAULT_REGION")
    endpoint = of("AWS_ENDPOINT_URL_S3") or of("AWS_ENDPOINT_URL")
    query = {}
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        query = {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https"}
        region = region or "us-east-1"
    if region:
        query["region"] = region
    return "?" + urlencode(query) if query else ""


def info(uri: str) -> FileInfo:
    """Look up the type at a URI: file, folder or nothing. Raises EdgeRuntimeError."""
    system, path = resolve(uri)
    try:
        return system.get_file_info(path)
    except OSError as error:
        raise EdgeRuntimeError(f"{uri}: {one_line(error)}") from None


def walk(
    uri: str,
    *,
    recursive: bool = True,
    all_files: bool = False,
    endings: Set[str] = ENDINGS["image"],
    passed_over: Callable[[str], object] = lambda path: None,
) -> Iterator[str]:
    """Yield the URIs of the files, by the rules and in the order of `inputs.walk.walk`.

    One folder of names is in memory for each level. Raises EdgeRuntimeError when a folder
    cannot be listed.
    """
    if info(uri).type != FileType.Directory:
        yield uri
        return
    taken = None if all_files else endings
    yield from _walk_folder(uri.rstrip("/"), recursive, taken, passed_over)


def _walk_folder(
    uri: str, recursive: bool, endings: Set[str] | None, passed_over: Callable[[str], object]
) -> Iterator[str]:
    taken: list[str] = []  # the name of a folder ends with /
    for found in listed(uri):
        name = found.base_name
        if name.startswith("."):
            passed_over(f"{uri}/{name}")
        elif found.type == FileType.Directory:
            if recursive:
                taken.append(name + "/")
        elif has_ending(name, endings):
            taken.append(name)
        else:
            passed_over(f"{uri}/{name}")
    taken.sort(key=lambda name: name.removesuffix("/"))
    for name in taken:
        if name.endswith("/"):
            yield from _walk_folder(f"{uri}/{name[:-1]}", recursive, endings, passed_over)
        else:
            yield f"{uri}/{name}"


def listed(uri: str) -> list[FileInfo]:
    """List a folder; empty if there is none. Raises EdgeRuntimeError."""
    system, path = resolve(uri)
    try:
        return system.get_file_info(FileSelector(path, allow_not_found=True))  # type: ignore[no-any-return]
    except OSError as error:
        raise EdgeRuntimeError(f"{uri}: cannot be listed ({one_line(error)})") from None


def load(uri: str) -> bytes:
    """Read a file. Raises OSError, and EdgeRuntimeError if the file system is not known."""
    system, path = resolve(uri)
    with system.open_input_file(path) as file:
        if file.size() > _MAX_OBJECT_BYTES:
            raise OSError(f"{file.size()} bytes are more than {_MAX_OBJECT_BYTES}")
        return file.read()  # type: ignore[no-any-return]


def read(uri: str) -> bytes:
    """Read an input file. Raises InputError, with the status that a local file would have."""
    try:
        data = load(uri)
    except FileNotFoundError:
        raise InputError("not_found", "no such file") from None
    except (OSError, ValueError, EdgeRuntimeError) as error:
        if isinstance(error, PermissionError) or "ACCESS_DENIED" in str(error):
            raise InputError("permission", "not allowed to read it") from None
        raise InputError("unreadable", one_line(error)) from None
    if not data:
        raise InputError("empty", "the file has no bytes")
    return data


def read_ahead(
    paths: Iterable[str], source: Callable[[str], str | bytes], pool: ThreadPoolExecutor
) -> Iterator[Callable[[], str | bytes]]:
    """For each path, in their order, yield a function that returns `source(path)`.

    The next _AHEAD paths are read by the pool meanwhile; the function raises what reading raised.
    """
    rest = iter(paths)
    waiting: deque[Future[str | bytes]] = deque(
        pool.submit(source, path) for path in islice(rest, _AHEAD)
    )
    while waiting:
        yield waiting.popleft().result
        for path in islice(rest, 1):
            waiting.append(pool.submit(source, path))


def write(uri: str, data: bytes) -> None:
    """Write a file atomically. Raises OSError.

    An object in a store appears when its upload is complete; elsewhere a hidden file is written
    and renamed.
    """
    system, path = resolve(uri)
    folder, _, name = path.rpartition("/")
    hidden = f"{folder}/.{name}.{os.getpid()}"
    if not is_uri(uri):
        os.makedirs(folder, exist_ok=True)
        with open(hidden, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(hidden, path)
        return
    renamed = system.type_name == "hdfs"
    with system.open_output_stream(hidden if renamed else path) as stream:
        stream.write(data)
    if renamed:
        system.move(hidden, path)


def delete(uri: str) -> None:
    """Remove a file. Raises OSError."""
    system, path = resolve(uri)
    system.delete_file(path)
