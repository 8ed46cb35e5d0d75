"""Files from the Hugging Face hub: fetched once, compared with their published SHA-256, and kept in its cache."""

import os
from pathlib import Path

from .._guard import RetryError
from .reading import hash_of


def fetch(repository: str, filename: str, download: bool = True) -> Path:
    """Return the path of a hub repository's file in the local cache, fetched if need be, and verified.

    Raises
    ------
    RetryError
        If the file is not in the cache, and the hub cannot be reached, may not be asked, or does not deliver it whole
        and unaltered.
    """
    # Imported here because only weights from the hub need it: it takes longer to import than this library.
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    url = hf_hub_url(repository, filename)
    cached = try_to_load_from_cache(repository, filename)
    cached = Path(cached) if isinstance(cached, str) else None
    if not download:
        if cached is None:
            raise RetryError(
                f"{repository} is not on this machine yet, and nobody asked for a download: allow it with "
                f"download=True, on the command line with --download. {_by_hand(filename)}"
            )
        return _verified(cached, _own_hash(cached), url)

    try:
        # The files are public. A token that has run out would be refused, so none is sent.
        metadata = get_hf_file_metadata(url, token=False)
        published = metadata.etag
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        raise RetryError(f"the hub has no file {url}: check the name of the model") from error
    except Exception as error:  # the hub client's transport errors change class between its versions
        if cached is not None:
            return _verified(cached, _own_hash(cached), url)
        if isinstance(error, HfHubHTTPError) and error.response is not None:
            reason = f"the hub answered {error.response.status_code} for {url}, so the fault is not your network's"
        elif isinstance(error, OfflineModeIsEnabled):
            reason = f"{url} is not in the cache, and HF_HUB_OFFLINE forbids to ask for it"
        else:
            reason = f"could not reach {url} ({error}): check the network connection"
        raise RetryError(f"{reason}; then try again. {_by_hand(filename)}") from error
    if not published:
        raise RetryError(f"the hub does not say what SHA-256 {url} has: nothing was fetched. {_by_hand(filename)}")
    if cached is None or hash_of(cached) != published:
        _check_place(repository, metadata.commit_hash, filename, url)
        cached = _download(repository, filename, url, again=cached is not None)
    return _verified(cached, published, url)


def _download(repository: str, filename: str, url: str, again: bool) -> Path:
    """Let the hub's client fetch a file into its cache, over its own older copy if there is a bad one."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, filename, token=False, force_download=again))
    except Exception as error:
        raise RetryError(f"the download of {url} broke off ({error}): try again. {_by_hand(filename)}") from error


def _verified(path: Path, published: str | None, url: str) -> Path:
    """Return the path of a cached file if it has this SHA-256; else raise, and leave it where it is."""
    if published is not None and (actual := hash_of(path)) != published:
        raise RetryError(
            f"{path.name} in the cache has SHA-256 {actual}, and {url} should have {published}: it is not used. "
            "Take it away to have it fetched again"
        )
    return path


def _own_hash(path: Path) -> str | None:
    """Return the SHA-256 that the cache itself keeps of a file: it stores it under that name, and links to it.

    None where it keeps none, as on file systems without links; the file was verified when it came.
    """
    name = path.resolve().name
    return name if path.is_symlink() and len(name) == 64 else None


def _check_place(repository: str, commit: str, filename: str, url: str) -> None:
    """Raise if somebody else may have put a file, or a link, where the hub's client is about to put this one."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE, f"models--{repository.replace('/', '--')}")
    place = cache / "snapshots" / str(commit) / filename
    own = place.is_symlink() and place.resolve().parent == (cache / "blobs").resolve()
    if os.path.lexists(place) and not own:
        raise RetryError(
            f"{place} is not what the hub publishes at {url}, and may be yours: it was left alone. Take it away to "
            "have the published file fetched, or load it with mv.load_pretrained('FILE')"
        )


def _by_hand(filename: str) -> str:
    return f"Or download {filename} on another machine and load it with mv.load_pretrained('path/to/{filename}')"
