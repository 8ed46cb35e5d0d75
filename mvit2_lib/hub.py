"""Files from the Hugging Face hub: fetched once, compared with their published SHA-256, and kept in its cache."""

import hashlib
from pathlib import Path


class DownloadError(OSError):
    """The hub answered, but did not deliver the file whole and unaltered."""


class OfflineError(DownloadError):
    """The hub could not be reached, and nothing usable is in the cache."""


def fetch(repository: str, filename: str, by_hand: str, download: bool = True) -> Path:
    """Return the path of a file of a hub repository in the local cache, downloaded if need be, and verified.

    Parameters
    ----------
    repository, filename : str
        Which file, as the hub names it.
    by_hand : str
        What an error advises to do where the hub cannot be reached at all.
    download : bool
        Whether to ask the hub for a file that is not in the cache.

    Raises
    ------
    OfflineError
        If the file is not in the cache, and the hub cannot be reached or may not be asked.
    DownloadError
        If the hub does not deliver the file whole and unaltered.

    Notes
    -----
    Built in notebook 06.
    """
    # Imported here because only a download needs it: it takes longer to import than this library.
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    url = hf_hub_url(repository, filename)
    if not download:
        cached = try_to_load_from_cache(repository, filename)
        if not isinstance(cached, str):
            raise OfflineError(
                f"{repository} is not on this machine yet, and nobody asked for a download: allow it with "
                f"download=True, on the command line with --download. {by_hand}"
            )
        return _verified(Path(cached), None, url, by_hand)

    published = unreachable = None
    try:
        published = get_hf_file_metadata(url).etag
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        raise DownloadError(f"the hub has no file {url}: check the name of the model") from error
    except Exception as error:  # the hub client's transport errors change class between its versions
        unreachable = error
    try:
        path = Path(hf_hub_download(repository, filename, local_files_only=unreachable is not None))
    except LocalEntryNotFoundError as error:
        raise OfflineError(
            f"could not reach {url} ({unreachable or error}), and the cache does not hold it: check the network "
            f"connection and that HF_HUB_OFFLINE is not set, then try again. {by_hand}"
        ) from error
    except Exception as error:
        raise DownloadError(f"the download of {url} broke off ({error}): try again. {by_hand}") from error
    return _verified(path, published, url, by_hand)


def _verified(path: Path, published: str | None, url: str, by_hand: str) -> Path:
    """Return the path of a cached file if it has the published SHA-256; else remove it and raise."""
    if published is None:
        # Without the hub's word, the cache's own: it stores a file under the name of its SHA-256 and links to it.
        published = path.resolve().name
        if published == path.name:  # a file system without links keeps no such name; it was verified when it came
            return path
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != published:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise DownloadError(
            f"{url} arrived with SHA-256 {actual}, but the hub publishes {published}: the file was removed from the "
            f"cache, try again. {by_hand}"
        )
    return path
