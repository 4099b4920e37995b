// Runs notebooks in Pyodide: node pyodide.mjs WHEEL LIBRARIES PLAIN.PY NOTEBOOK…
// LIBRARIES is a folder with what the wheel needs, as pure Python.
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename } from "node:path"

const require = createRequire(import.meta.url) // which heeds NODE_PATH
const { loadPyodide } = require("pyodide")
const [wheel, libraries, plain, ...notebooks] = process.argv.slice(2)

try {
  const pyodide = await loadPyodide()
  pyodide.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel")
  pyodide.mountNodeFS("/libraries", libraries)
  for (const path of [plain, ...notebooks]) pyodide.FS.writeFile(`/${basename(path)}`, new Uint8Array(readFileSync(path)))
  pyodide.globals.set("notebooks", notebooks.map(path => `/${basename(path)}`))
  pyodide.runPython(`
import importlib.util, sys
sys.path += ["/libraries", "/"]
assert importlib.util.find_spec("ada_url") is None
import plain
for notebook in notebooks:
    plain.run(plain.code_of(notebook, pictures=False))
    print("done", notebook)
print("ran in", sys.platform)
`)
} catch (error) {
  console.error(error.message) // its source would be all of Pyodide
  process.exit(1)
}
