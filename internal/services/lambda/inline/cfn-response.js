// Answers a request of CloudFormation for a custom resource.
"use strict";

exports.SUCCESS = "SUCCESS";
exports.FAILED = "FAILED";

// Sends the answer, then ends the invocation. The resource's id is the name of the log stream unless one is given.
exports.send = (event, context, responseStatus, responseData, physicalResourceId, noEcho) => new Promise((resolve) => {
  const body = JSON.stringify({
    Status: responseStatus,
    Reason: "See the log stream " + context.logStreamName,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: responseData,
  });
  const url = new URL(event.ResponseURL);
  const end = (what) => {
    console.log(what);
    resolve();
    context.done?.();
  };
  const request = require(url.protocol === "http:" ? "http" : "https").request(
    url,
    { method: "PUT", headers: { "content-type": "", "content-length": Buffer.byteLength(body) } },
    (response) => {
      response.resume();
      end("Status code: " + response.statusCode);
    },
  );
  request.on("error", (e) => end("The answer to CloudFormation was not sent: " + e));
  request.end(body);
});
