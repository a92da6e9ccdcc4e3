"""llama.cpp's own server, for the tests: `llama_server.py MODEL.gguf MMPROJ.gguf --port N`.

It runs in the environment of `xllamacpp`, which has llama.cpp's server as a library, and nothing
of kolm's.
"""

import sys
import threading

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path, params.mmproj.path = sys.argv[1:3]
params.port = int(sys.argv[sys.argv.index("--port") + 1])
params.n_ctx, params.n_parallel = 2048, 1
params.mmproj_use_gpu = False
params.use_jinja = params.endpoint_props = True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
threading.Event().wait()
