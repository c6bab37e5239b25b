// The API's address, from the outputs of the stack. `lambent up` and publish.sh fill it in as they copy this file.
window.photoboard = { api: "${ApiURL}" };
