"""Parses a statement and its SLSA v1 predicate strictly: an unknown field is an error."""

import json
import sys
from pathlib import Path

from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

payload = json.loads(Path(sys.argv[1]).read_bytes())
statement = ParseDict(payload, StatementMessage(), ignore_unknown_fields=False)
Statement.copy_from_pb(statement).validate()
if statement.predicate_type != "https://slsa.dev/provenance/v1":
    sys.exit("not SLSA provenance v1")
provenance = ParseDict(payload["predicate"], Provenance(), ignore_unknown_fields=False)
definition, details = provenance.build_definition, provenance.run_details
# What the SLSA v1 specification marks as required.
if not (definition.build_type and len(definition.external_parameters.fields)):
    sys.exit("the build definition lacks something")
if not details.builder.id or not details.metadata.HasField("started_on"):
    sys.exit("the run details lack something")
for dependency in definition.resolved_dependencies:
    ResourceDescriptor.copy_from_pb(dependency).validate()
print(statement.subject[0].digest["sha256"])
