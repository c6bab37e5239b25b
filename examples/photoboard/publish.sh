#!/bin/sh
# Copies the page into the bucket of a stack that `sam deploy` made on AWS, with the API's address filled in.
# `lambent up` and `lambent deploy` do this by themselves.
set -eu
stack=${1:-photoboard}
cd "$(dirname "$0")"

output() {
  aws cloudformation describe-stacks --stack-name "$stack" \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}

bucket=$(output PageBucket)
api=$(output ApiURL)
aws s3 sync web "s3://$bucket" --exclude config.js --delete
sed "s|\${ApiURL}|$api|" web/config.js | aws s3 cp - "s3://$bucket/config.js" --content-type text/javascript
echo "The page is at $(output PageURL)"
