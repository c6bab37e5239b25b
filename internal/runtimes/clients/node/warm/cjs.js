// What a parked process runs: the code paths of an ordinary handler.
'use strict';

exports.handler = async (event, context) => {
  console.log('parked', context.awsRequestId, context.getRemainingTimeInMillis() > 0);
  return { statusCode: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(event) };
};
