// What ali-oss does against a face: node ali-oss.mjs ENDPOINT KEY SECRET, where ali-oss is installed.
import OSS from 'ali-oss';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, writeFileSync } from 'node:fs';

const [endpoint, accessKeyId, accessKeySecret] = process.argv.slice(2);
const bucket = 'ali-oss';

// Each part of the session is done by a client of either signature.
for (const authorizationV4 of [false, true]) {
  const client = new OSS({
    endpoint, accessKeyId, accessKeySecret, authorizationV4, region: 'oss-local', timeout: 60_000,
    sldEnable: true, // the bucket is in the path
  });
  await client.putBucket(bucket);
  client.useBucket(bucket);
  const steps = {
    async put() {
      const { res } = await client.put('a b/ü', Buffer.from('content'), {
        headers: { 'Cache-Control': 'no-cache' }, meta: { who: 'me' },
      });
      assert.equal(res.headers['content-md5'], createHash('md5').update('content').digest('base64'));
      const got = await client.get('a b/ü');
      assert.equal(got.content.toString(), 'content');
      const head = await client.head('a b/ü');
      assert.deepEqual(head.meta, { who: 'me' });
      assert.equal(head.res.headers['cache-control'], 'no-cache');
      await assert.rejects(client.get('absent'), { code: 'NoSuchKey', status: 404 });
      await assert.rejects(
        client.get('a b/ü', { headers: { 'If-Match': '"0"' } }), { code: 'PreconditionFailed' },
      );
    },
    async ranges() {
      const got = await client.get('a b/ü', { headers: { Range: 'bytes=1-3' } });
      assert.equal(got.res.status, 206);
      assert.equal(got.content.toString(), 'ont');
    },
    async urls() {
      const url = authorizationV4
        ? await client.signatureUrlV4('GET', 60, undefined, 'a b/ü')
        : client.signatureUrl('a b/ü');
      const got = await fetch(url);
      assert.equal(await got.text(), 'content');
      const changed = await fetch(url.replace('a%20b', 'a%20c'));
      assert.equal(changed.status, 403);
    },
    async multipart() {
      const content = randomBytes(5 * 1024 * 1024 + 7);
      writeFileSync('file', content);
      const done = await client.multipartUpload('big', 'file', { partSize: 1 << 20, parallel: 3 });
      assert.match(done.res.headers.etag, /-6"$/);
      const got = await client.get('big');
      assert.ok(got.content.equals(content));
    },
    async resume() {
      let checkpoint;
      const stop = new Error('stop');
      await assert.rejects(client.multipartUpload('resumed', 'file', {
        partSize: 1 << 20, parallel: 1,
        progress(done, state) {
          checkpoint = state;
          if (state.doneParts.length === 3) throw stop;
        },
      }));
      const { parts } = await client.listParts('resumed', checkpoint.uploadId);
      assert.equal(parts.length, 3);
      const done = await client.multipartUpload('resumed', 'file', { checkpoint });
      const big = await client.head('big');
      assert.equal(done.etag, big.res.headers.etag);
    },
    async abort() {
      const { uploadId } = await client.initMultipartUpload('given up');
      await client.uploadPart('given up', uploadId, 1, 'file', 0, 100 * 1024);
      const open = await client.listUploads({ 'max-uploads': 10 });
      assert.deepEqual(open.uploads.map((upload) => upload.uploadId), [uploadId]);
      await client.abortMultipartUpload('given up', uploadId);
      await assert.rejects(client.listParts('given up', uploadId), { code: 'NoSuchUpload' });
    },
    async copy() {
      await client.copy('copy', 'a b/ü');
      assert.equal((await client.get('copy')).content.toString(), 'content');
      await assert.rejects(client.copy('copy', 'absent'), {
        code: 'NoSuchKey', message: 'The specified key does not exist.',
      });
      await client.multipartUploadCopy(
        'parts', { sourceKey: 'big', sourceBucketName: bucket }, { partSize: 1 << 20 },
      );
      const [big, copy] = await Promise.all([client.head('big'), client.head('parts')]);
      assert.equal(
        copy.res.headers['x-oss-hash-crc64ecma'], big.res.headers['x-oss-hash-crc64ecma'],
      );
    },
    async stream() {
      await client.putStream('stream', createReadStream('file'));
      const { stream } = await client.getStream('stream');
      let length = 0;
      for await (const chunk of stream) length += chunk.length;
      assert.equal(length, 5 * 1024 * 1024 + 7);
    },
    async listings() {
      for (const key of ['d/1', 'd/2', 'd/e/3', 'f']) await client.put(key, Buffer.from(key));
      const first = await client.list({ prefix: 'd/', delimiter: '/', 'max-keys': 2 });
      assert.deepEqual(first.objects.map((object) => object.name), ['d/1', 'd/2']);
      assert.equal(first.isTruncated, true);
      const rest = await client.list({ prefix: 'd/', delimiter: '/', marker: first.nextMarker });
      assert.deepEqual(rest.prefixes, ['d/e/']);
      const second = await client.listV2({ prefix: 'd/', 'max-keys': '2' });
      const next = await client.listV2({
        prefix: 'd/', 'continuation-token': second.nextContinuationToken,
      });
      assert.deepEqual(next.objects.map((object) => object.name), ['d/e/3']);
    },
    async tags() {
      await client.putObjectTagging('f', { a: '1', 'b c': '2' });
      assert.deepEqual((await client.getObjectTagging('f')).tag, { a: '1', 'b c': '2' });
      await client.deleteObjectTagging('f');
      assert.deepEqual((await client.getObjectTagging('f')).tag, {});
    },
    async buckets() {
      const { buckets } = await client.listBuckets({ prefix: bucket });
      assert.deepEqual(buckets.map((b) => b.name), [bucket]);
      await assert.rejects(client.deleteBucket(bucket), { code: 'BucketNotEmpty' });
      const { objects } = await client.list({});
      await client.deleteMulti(objects.map((object) => object.name));
      await client.deleteBucket(bucket);
    },
  };
  for (const [name, step] of Object.entries(steps)) {
    await step();
    console.log('passed', authorizationV4 ? 'V4' : 'V1', name);
  }
}
