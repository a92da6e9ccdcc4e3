"""`kolm publish`: an export of a verified bundle, with its model card, on the Hugging Face hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.core.home import private_folder
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline.bundle_use import Demands
from kolm_cli.pipeline.export import export_bundle


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        repository: its id on the hub.
        url: of the commit.
        cid: the bundle's CID.
        digest: the export's.
        private: whether only its owner sees it.
    """

    repository: str
    url: str
    cid: str
    digest: str
    private: bool


def publish(
    bundle: Path,
    repository: str,
    *,
    to: str,
    public: bool,
    with_bundle: bool,
    base: Path | None = None,
    demands: Demands | None = None,
    progress: Progress,
) -> Published:
    """Export a bundle, and upload the folder in one commit.

    Args:
        bundle: the bundle file.
        repository: `OWNER/NAME`; made when it is not there.
        to: the export's format.
        public: whether a new repository is public; one that exists stays as it is.
        with_bundle: whether the bundle is uploaded too, so that others can verify it.
        base: where a local base is.
        demands: what the bundle must be.
        progress: told of the stages.

    Raises:
        InputError: the id is none, or the bundle cannot be exported so.
        LackingError: the hub cannot be reached, or refuses.
        VerificationError: the bundle is not intact or not trusted.
    """
    _check_id(repository)
    with TemporaryDirectory(prefix="kolm-", dir=private_folder("tmp")) as name:
        folder = Path(name) / "export"
        done = export_bundle(bundle, folder, to=to, base=base, demands=demands, progress=progress)
        said = done.manifest
        if with_bundle:
            shutil.copyfile(bundle, folder / f"{_name_of(folder, bundle)}.kolm")
        progress.stage("upload")
        with _hub() as hub:
            hub.create_repo(repository, private=not public, exist_ok=True)
            commit = hub.upload_folder(
                repo_id=repository,
                folder_path=str(folder),
                commit_message=f"kolm bundle {said.cid}",
            )
            info = hub.repo_info(repository)
    return Published(repository, str(commit.commit_url), said.cid, said.digest, bool(info.private))


def _name_of(folder: Path, bundle: Path) -> str:
    """The bundle's own name, by which the model card calls it."""
    from kolm_cli.bundle.container.open_bundle import open_bundle

    with open_bundle(bundle) as opened:
        return opened.manifest.name


def _check_id(repository: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        if repository.count("/") != 1:
            raise HFValidationError("an id has the form OWNER/NAME")
        validate_repo_id(repository)
    except HFValidationError as error:
        what = f"{repository!r:.120} is no repository of the hub: {error}"
        raise InputError(Problem(what, fix="write OWNER/NAME")) from error


@contextmanager
def _hub() -> Iterator[Any]:
    """The hub's client; what it raises comes as an error that says what to do."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    # Whichever HTTP library the hub's client was built on.
    transport = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
    try:
        yield HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="kolm")
    except LocalTokenNotFoundError as error:
        raise LackingError(
            Problem("the hub needs a token of yours"), hint="hf auth login, or set HF_TOKEN"
        ) from error
    except OfflineModeIsEnabled as error:
        raise LackingError(
            Problem("HF_HUB_OFFLINE is set, which forbids it"), hint="HF_HUB_OFFLINE=0 kolm publish"
        ) from error
    except HfHubHTTPError as error:
        said = str(error).strip().splitlines()[0][:300]
        raise LackingError(
            Problem(f"the hub refused: {said}"), hint="is the token allowed to write there?"
        ) from error
    except Exception as error:
        if not isinstance(error, (OSError, transport)):
            raise
        what, fix = f"the hub cannot be reached: {error}"[:300], "try again later"
        raise LackingError(Problem(what, fix=fix)) from error
