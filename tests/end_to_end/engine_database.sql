-- A database of schema version 1: one run waits for an approval, one was declined and has
-- ended, and one was approved just before its server was killed.
BEGIN TRANSACTION;
CREATE TABLE application_versions (
    version_id TEXT NOT NULL PRIMARY KEY,
    version_name TEXT NOT NULL UNIQUE,
    version_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL);
INSERT INTO "application_versions" VALUES('c5952205-87ab-4b96-a3e7-2c4c09e69606','duvo-1',1795720166000,1795720166000,'duvo-local');
CREATE TABLE dbos_migrations (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "dbos_migrations" VALUES(125);
CREATE TABLE duvo_idempotency (
	"key" VARCHAR(255) NOT NULL,
	request_hash VARCHAR(64) NOT NULL,
	answer TEXT,
	created_at BIGINT NOT NULL,
	PRIMARY KEY ("key")
);
INSERT INTO "duvo_idempotency" VALUES('waiting','257242bef78573b84a16b5fe4fdabe3bd99c0cf89b9e632927b40e6ead7b9534','{"status": 201, "body": {"run": {"id": "e7e3eadd-f9ff-425d-aef5-04dd35386a6d", "agent_id": "a63520d2-a66c-5538-9169-e1dd4fe5239b", "build_id": "49b19c63-040d-5214-a12a-ef03d3aeb3b8", "status": "pending", "source": "api", "sandbox_id": null, "started_at": null, "completed_at": null, "created_at": "2026-11-26T19:09:26.599Z", "updated_at": "2026-11-26T19:09:26.599Z", "human_in_the_loop_enabled": true}}}',1795720166594);
CREATE TABLE duvo_messages (
	run_id VARCHAR(36) NOT NULL,
	seq INTEGER NOT NULL,
	id VARCHAR(36) NOT NULL,
	op INTEGER,
	type VARCHAR(32) NOT NULL,
	role VARCHAR(16) NOT NULL,
	timestamp BIGINT NOT NULL,
	text TEXT,
	data TEXT,
	PRIMARY KEY (run_id, seq),
	UNIQUE (run_id, op),
	UNIQUE (id)
)
 WITHOUT ROWID

;
INSERT INTO "duvo_messages" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',1,'f6d8ec61-1ec6-4bf6-817b-e84b09e379c9',NULL,'text','user',1795720166718,'declined',NULL);
INSERT INTO "duvo_messages" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',2,'9e1fc650-6690-5b77-a163-1544f1afaf5b',1,'session_started','system',1795720166733,NULL,NULL);
INSERT INTO "duvo_messages" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',3,'f1d2e51e-ed03-5253-b186-db2e04a3fd38',2,'thinking','assistant',1795720166777,'[''2026-11-26 19:09:26.737276+00:00'', 0.3540577306243632, ''d5ccf5cc-084d-4654-8b1c-d3aa1ce067f5'', []]',NULL);
INSERT INTO "duvo_messages" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',4,'67283d53-fa55-5860-9de8-349ccb461f2c',3,'tool_call','assistant',1795720166778,NULL,'{"id": "9a992f5b-4914-5fc0-8fee-4c476453f152", "name": "price", "arguments": {"item": "pen"}}');
INSERT INTO "duvo_messages" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',5,'ac2f0cf7-ccd9-5f46-aa1c-87acc64e116c',4,'tool_result','assistant',1795720166783,NULL,'{"tool_call_id": "9a992f5b-4914-5fc0-8fee-4c476453f152", "result": 12}');
INSERT INTO "duvo_messages" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',6,'e14c93a4-2be7-5981-86ae-99d206551592',5,'tool_call','assistant',1795720166784,NULL,'{"id": "a4482f77-dd84-5808-b398-6611f03a8d6b", "name": "request_approval", "arguments": {"title": "Buy it?", "description": "12 EUR"}}');
INSERT INTO "duvo_messages" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',7,'fb1c8100-e4d6-4f4b-a34d-b08169cd30f5',NULL,'tool_result','assistant',1795720166794,NULL,'{"tool_call_id": "a4482f77-dd84-5808-b398-6611f03a8d6b", "result": {"approved": false}}');
INSERT INTO "duvo_messages" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',8,'46282199-fdc1-5dcb-ad4c-10b2ad7952ab',6,'session_completed','system',1795720166815,NULL,NULL);
INSERT INTO "duvo_messages" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625',1,'e3fa44f2-652f-440c-966d-45b41a2cede4',NULL,'text','user',1795720166829,'answered',NULL);
INSERT INTO "duvo_messages" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625',2,'f76442f5-6896-514c-b9eb-4f1bfb955d0b',1,'session_started','system',1795720166839,NULL,NULL);
INSERT INTO "duvo_messages" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625',3,'8b8d18a4-f520-5f83-8a9f-eb4ae7d68367',2,'thinking','assistant',1795720166871,'[''2026-11-26 19:09:26.843231+00:00'', 0.9857165916078977, ''be0dd328-113c-471c-b5b2-7ccc034095ef'', []]',NULL);
INSERT INTO "duvo_messages" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625',4,'daf80642-c615-56af-ad4a-97b0def0c42b',3,'tool_call','assistant',1795720166872,NULL,'{"id": "9a7232c5-185a-5883-85a9-9078267fa558", "name": "price", "arguments": {"item": "pen"}}');
INSERT INTO "duvo_messages" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625',5,'9be93f5e-23c1-5fb0-a463-850e6ff0fff5',4,'tool_result','assistant',1795720166875,NULL,'{"tool_call_id": "9a7232c5-185a-5883-85a9-9078267fa558", "result": 12}');
INSERT INTO "duvo_messages" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625',6,'9b06794d-0ba3-5b34-90e6-403e4c40b27b',5,'tool_call','assistant',1795720166876,NULL,'{"id": "2c67ec0c-2dfd-5436-bf7e-52626505aacf", "name": "request_approval", "arguments": {"title": "Buy it?", "description": "12 EUR"}}');
INSERT INTO "duvo_messages" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625',7,'be7f49f5-f84e-48e0-8f33-784d5ef7b08d',NULL,'tool_result','assistant',1795720166882,NULL,'{"tool_call_id": "2c67ec0c-2dfd-5436-bf7e-52626505aacf", "result": {"approved": true}}');
INSERT INTO "duvo_messages" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d',1,'6e21c016-e324-477d-8d04-e052a2489646',NULL,'text','user',1795720166599,'waiting',NULL);
INSERT INTO "duvo_messages" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d',2,'b69cdfd9-ecdd-5e91-9561-ddd1c4ad2f7e',1,'session_started','system',1795720166626,NULL,NULL);
INSERT INTO "duvo_messages" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d',3,'39a83771-5d64-556d-8acb-57e860dc62cd',2,'thinking','assistant',1795720166684,'[''2026-11-26 19:09:26.635520+00:00'', 0.6892071196279466, ''065231b4-58b2-479a-aaef-b418327d0099'', []]',NULL);
INSERT INTO "duvo_messages" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d',4,'ff6b2a57-da84-58ac-ad44-43fb463cac5b',3,'tool_call','assistant',1795720166686,NULL,'{"id": "60e654f6-2e7e-5f1f-a95f-a85144a328a4", "name": "price", "arguments": {"item": "pen"}}');
INSERT INTO "duvo_messages" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d',5,'2ed1cb0c-1f02-5c29-8e9d-890a18bed1f6',4,'tool_result','assistant',1795720166694,NULL,'{"tool_call_id": "60e654f6-2e7e-5f1f-a95f-a85144a328a4", "result": 12}');
INSERT INTO "duvo_messages" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d',6,'837da57c-45d5-58d2-bde7-dad5516d8c60',5,'tool_call','assistant',1795720166698,NULL,'{"id": "0656ccd7-4b12-50d7-8f90-34ba6387750d", "name": "request_approval", "arguments": {"title": "Buy it?", "description": "12 EUR"}}');
CREATE TABLE duvo_meta (
	version INTEGER NOT NULL,
	PRIMARY KEY (version)
);
INSERT INTO "duvo_meta" VALUES(1);
CREATE TABLE duvo_requests (
	id VARCHAR(36) NOT NULL,
	run_id VARCHAR(36) NOT NULL,
	turn INTEGER NOT NULL,
	spec TEXT NOT NULL,
	status VARCHAR(16) NOT NULL,
	answer TEXT,
	created_at BIGINT NOT NULL,
	answered_at BIGINT,
	PRIMARY KEY (id)
);
INSERT INTO "duvo_requests" VALUES('0656ccd7-4b12-50d7-8f90-34ba6387750d','e7e3eadd-f9ff-425d-aef5-04dd35386a6d',1,'{"type": "approval", "title": "Buy it?", "description": "12 EUR"}','pending',NULL,1795720166698,NULL);
INSERT INTO "duvo_requests" VALUES('a4482f77-dd84-5808-b398-6611f03a8d6b','c7f626bd-6e2c-4b19-8966-c0d67fbb5d26',1,'{"type": "approval", "title": "Buy it?", "description": "12 EUR"}','answered','{"approved": false}',1795720166784,1795720166794);
INSERT INTO "duvo_requests" VALUES('2c67ec0c-2dfd-5436-bf7e-52626505aacf','dc2c47e4-708b-4301-b7d4-d7319a574625',1,'{"type": "approval", "title": "Buy it?", "description": "12 EUR"}','answered','{"approved": true}',1795720166876,1795720166882);
CREATE TABLE duvo_runs (
	id VARCHAR(36) NOT NULL,
	agent_id VARCHAR(36) NOT NULL,
	agent_name TEXT NOT NULL,
	build_id VARCHAR(36) NOT NULL,
	title TEXT NOT NULL,
	run_number INTEGER NOT NULL,
	user_id VARCHAR(36) NOT NULL,
	source TEXT NOT NULL,
	sandbox_id TEXT,
	webhook_url TEXT,
	status VARCHAR(16) NOT NULL,
	failure TEXT,
	pending_request_id VARCHAR(36),
	turn INTEGER NOT NULL,
	turn_messages INTEGER NOT NULL,
	turn_ops INTEGER NOT NULL,
	messages INTEGER NOT NULL,
	ops INTEGER NOT NULL,
	prompts INTEGER NOT NULL,
	created_at BIGINT NOT NULL,
	started_at BIGINT,
	updated_at BIGINT NOT NULL,
	finished_at BIGINT,
	PRIMARY KEY (id)
);
INSERT INTO "duvo_runs" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d','a63520d2-a66c-5538-9169-e1dd4fe5239b','Buyer','49b19c63-040d-5214-a12a-ef03d3aeb3b8','waiting',1,'27f6294d-82c4-5c9d-a339-db04067223a1','api',NULL,NULL,'waiting',NULL,'0656ccd7-4b12-50d7-8f90-34ba6387750d',1,0,0,6,5,1,1795720166599,1795720166626,1795720166698,NULL);
INSERT INTO "duvo_runs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26','a63520d2-a66c-5538-9169-e1dd4fe5239b','Buyer','49b19c63-040d-5214-a12a-ef03d3aeb3b8','declined',2,'27f6294d-82c4-5c9d-a339-db04067223a1','api',NULL,NULL,'completed',NULL,NULL,1,0,0,8,6,1,1795720166718,1795720166733,1795720166815,1795720166815);
INSERT INTO "duvo_runs" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625','a63520d2-a66c-5538-9169-e1dd4fe5239b','Buyer','49b19c63-040d-5214-a12a-ef03d3aeb3b8','answered',3,'27f6294d-82c4-5c9d-a339-db04067223a1','api',NULL,NULL,'running',NULL,NULL,1,0,0,7,5,1,1795720166829,1795720166839,1795720166882,NULL);
CREATE TABLE duvo_servers (
	id VARCHAR(36) NOT NULL,
	seen DATETIME NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE notifications (
    message_uuid TEXT NOT NULL DEFAULT (hex(randomblob(16))) PRIMARY KEY,
    destination_uuid TEXT NOT NULL,
    topic TEXT,
    message TEXT NOT NULL,
    created_at_epoch_ms INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000), "serialization" TEXT DEFAULT NULL, "consumed" BOOLEAN NOT NULL DEFAULT FALSE, consumed_by_function_id INTEGER,
    FOREIGN KEY (destination_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
INSERT INTO "notifications" VALUES('a4482f77-dd84-5808-b398-6611f03a8d6b::c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1','c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1','a4482f77-dd84-5808-b398-6611f03a8d6b','gASVFwAAAAAAAACME3siYXBwcm92ZWQiOiBmYWxzZX2ULg==',1795720166000,'py_pickle',1,7);
INSERT INTO "notifications" VALUES('2c67ec0c-2dfd-5436-bf7e-52626505aacf::dc2c47e4-708b-4301-b7d4-d7319a574625:1','dc2c47e4-708b-4301-b7d4-d7319a574625:1','2c67ec0c-2dfd-5436-bf7e-52626505aacf','gASVFgAAAAAAAACMEnsiYXBwcm92ZWQiOiB0cnVlfZQu',1795720166000,'py_pickle',0,NULL);
CREATE TABLE "operation_outputs" (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    function_name TEXT NOT NULL DEFAULT '',
    output TEXT,
    error TEXT,
    child_workflow_id TEXT,
    started_at_epoch_ms INTEGER,
    completed_at_epoch_ms INTEGER,
    serialization TEXT,
    application_name TEXT DEFAULT NULL,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    PRIMARY KEY (workflow_uuid, function_id)
);
INSERT INTO "operation_outputs" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d:1',1,'now','gASVFgAAAAAAAACMEjE3OTU3MjAxNjYuNjM1NTE5N5Qu',NULL,NULL,1795720166629,1795720166635,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d:1',2,'random','gASVFgAAAAAAAACMEjAuNjg5MjA3MTE5NjI3OTQ2NpQu',NULL,NULL,1795720166645,1795720166647,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d:1',3,'uuid','gASVKgAAAAAAAACMJiIwNjUyMzFiNC01OGIyLTQ3OWEtYWFlZi1iNDE4MzI3ZDAwOTkilC4=',NULL,NULL,1795720166654,1795720166661,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d:1',4,'inbox','gASVCwAAAAAAAACMB1tbXSwgMV2ULg==',NULL,NULL,1795720166664,1795720166669,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d:1',5,'sleep','gASVFgAAAAAAAACMEjE3OTU3MjAxNjYuNjgyNDczNJQu',NULL,NULL,1795720166671,1795720166672,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d:1',6,'tool price','gASVEgAAAAAAAACMDnsicmVzdWx0IjogMTJ9lC4=',NULL,NULL,1795720166688,1795720166690,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1',1,'now','gASVFgAAAAAAAACMEjE3OTU3MjAxNjYuNzM3Mjc1NpQu',NULL,NULL,1795720166734,1795720166737,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1',2,'random','gASVFgAAAAAAAACMEjAuMzU0MDU3NzMwNjI0MzYzMpQu',NULL,NULL,1795720166738,1795720166743,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1',3,'uuid','gASVKgAAAAAAAACMJiJkNWNjZjVjYy0wODRkLTQ2NTQtOGIxYy1kM2FhMWNlMDY3ZjUilC4=',NULL,NULL,1795720166748,1795720166749,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1',4,'inbox','gASVCwAAAAAAAACMB1tbXSwgMV2ULg==',NULL,NULL,1795720166751,1795720166757,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1',5,'sleep','gASVFQAAAAAAAACMETE3OTU3MjAxNjYuNzc1ODIzlC4=',NULL,NULL,1795720166763,1795720166765,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1',6,'tool price','gASVEgAAAAAAAACMDnsicmVzdWx0IjogMTJ9lC4=',NULL,NULL,1795720166779,1795720166781,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1',8,'DBOS.sleep','1795720166.8046339',NULL,NULL,1795720166802,1795720166804,'portable_json','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1',7,'DBOS.recv','gASVFwAAAAAAAACME3siYXBwcm92ZWQiOiBmYWxzZX2ULg==',NULL,NULL,1795720166799,1795720166813,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625:1',1,'now','gASVFQAAAAAAAACMETE3OTU3MjAxNjYuODQzMjMxlC4=',NULL,NULL,1795720166841,1795720166843,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625:1',2,'random','gASVFgAAAAAAAACMEjAuOTg1NzE2NTkxNjA3ODk3N5Qu',NULL,NULL,1795720166845,1795720166846,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625:1',3,'uuid','gASVKgAAAAAAAACMJiJiZTBkZDMyOC0xMTNjLTQ3MWMtYjViMi03Y2NjMDM0MDk1ZWYilC4=',NULL,NULL,1795720166848,1795720166850,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625:1',4,'inbox','gASVCwAAAAAAAACMB1tbXSwgMV2ULg==',NULL,NULL,1795720166855,1795720166857,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625:1',5,'sleep','gASVFQAAAAAAAACMETE3OTU3MjAxNjYuODcwMTQ0lC4=',NULL,NULL,1795720166859,1795720166860,'py_pickle','duvo-local',1795720166000);
INSERT INTO "operation_outputs" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625:1',6,'tool price','gASVEgAAAAAAAACMDnsicmVzdWx0IjogMTJ9lC4=',NULL,NULL,1795720166872,1795720166873,'py_pickle','duvo-local',1795720166000);
CREATE TABLE queues (
    queue_id TEXT PRIMARY KEY DEFAULT (hex(randomblob(16))),
    name TEXT NOT NULL UNIQUE,
    concurrency INTEGER,
    worker_concurrency INTEGER,
    rate_limit_max INTEGER,
    rate_limit_period_sec REAL,
    priority_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    partition_queue BOOLEAN NOT NULL DEFAULT FALSE,
    polling_interval_sec REAL NOT NULL DEFAULT 1.0,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL, "partition_concurrency" INTEGER DEFAULT NULL, "partition_worker_concurrency" INTEGER DEFAULT NULL, "partition_rate_limit_max" INTEGER DEFAULT NULL, "partition_rate_limit_period_sec" REAL DEFAULT NULL);
CREATE TABLE streams (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    "offset" INTEGER NOT NULL, function_id INTEGER NOT NULL DEFAULT 0, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key, "offset"),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events_history (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, function_id, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_input (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    inputs TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_input" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d:1','gASVQgAAAAAAAAB9lCiMBGFyZ3OUjCRlN2UzZWFkZC1mOWZmLTQyNWQtYWVmNS0wNGRkMzUzODZhNmSUSwGGlIwGa3dhcmdzlH2UdS4=',1795720166000);
INSERT INTO "workflow_input" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1','gASVQgAAAAAAAAB9lCiMBGFyZ3OUjCRjN2Y2MjZiZC02ZTJjLTRiMTktODk2Ni1jMGQ2N2ZiYjVkMjaUSwGGlIwGa3dhcmdzlH2UdS4=',1795720166000);
INSERT INTO "workflow_input" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625:1','gASVQgAAAAAAAAB9lCiMBGFyZ3OUjCRkYzJjNDdlNC03MDhiLTQzMDEtYjdkNC1kNzMxOWE1NzQ2MjWUSwGGlIwGa3dhcmdzlH2UdS4=',1795720166000);
CREATE TABLE workflow_output (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    output TEXT,
    error TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_output" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1','gAROLg==',NULL,1795720166000);
CREATE TABLE workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    schedule_name TEXT NOT NULL UNIQUE,
    workflow_name TEXT NOT NULL,
    workflow_class_name TEXT,
    schedule TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    context TEXT NOT NULL
, "last_fired_at" TEXT DEFAULT NULL, "automatic_backfill" BOOLEAN NOT NULL DEFAULT FALSE, "cron_timezone" TEXT DEFAULT NULL, "queue_name" TEXT DEFAULT NULL, "application_name" TEXT DEFAULT NULL);
CREATE TABLE workflow_status (
    workflow_uuid TEXT PRIMARY KEY,
    status TEXT,
    name TEXT,
    authenticated_user TEXT,
    assumed_role TEXT,
    authenticated_roles TEXT,
    request TEXT,
    output TEXT,
    error TEXT,
    executor_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    application_version TEXT,
    application_id TEXT,
    class_name TEXT DEFAULT NULL,
    config_name TEXT DEFAULT NULL,
    recovery_attempts INTEGER DEFAULT 0,
    queue_name TEXT,
    workflow_timeout_ms INTEGER,
    workflow_deadline_epoch_ms INTEGER,
    inputs TEXT,
    started_at_epoch_ms INTEGER,
    deduplication_id TEXT,
    priority INTEGER NOT NULL DEFAULT 0
, queue_partition_key TEXT, forked_from TEXT, "owner_xid" TEXT DEFAULT NULL, "parent_workflow_id" TEXT DEFAULT NULL, "serialization" TEXT DEFAULT NULL, "delay_until_epoch_ms" BIGINT DEFAULT NULL, "was_forked_from" BOOLEAN NOT NULL DEFAULT FALSE, "rate_limited" BOOLEAN NOT NULL DEFAULT FALSE, "completed_at" BIGINT, "attributes" TEXT, "schedule_name" TEXT, "debounce_deadline_epoch_ms" BIGINT DEFAULT NULL, "is_debounced" BOOLEAN NOT NULL DEFAULT FALSE, "application_name" TEXT DEFAULT NULL, "creator_xid" TEXT DEFAULT NULL);
INSERT INTO "workflow_status" VALUES('e7e3eadd-f9ff-425d-aef5-04dd35386a6d:1','PENDING','duvo_turn',NULL,NULL,NULL,NULL,NULL,NULL,'local',1795720166000,1795720166000,'duvo-1','',NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,'32b98c6e-4411-4fb2-b57a-2061ce612b1d',NULL,'py_pickle',NULL,0,0,NULL,'null',NULL,NULL,0,'duvo-local','32b98c6e-4411-4fb2-b57a-2061ce612b1d');
INSERT INTO "workflow_status" VALUES('c7f626bd-6e2c-4b19-8966-c0d67fbb5d26:1','SUCCESS','duvo_turn',NULL,NULL,NULL,NULL,NULL,NULL,'local',1795720166000,1795720166000,'duvo-1','',NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'py_pickle',NULL,0,0,1795720166000,'null',NULL,NULL,0,'duvo-local','50db963b-c5e4-45ba-9eed-04127286abbf');
INSERT INTO "workflow_status" VALUES('dc2c47e4-708b-4301-b7d4-d7319a574625:1','PENDING','duvo_turn',NULL,NULL,NULL,NULL,NULL,NULL,'local',1795720166000,1795720166000,'duvo-1','',NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,'b6ce88f5-76ed-4905-b465-9acf3b6a6514',NULL,'py_pickle',NULL,0,0,NULL,'null',NULL,NULL,0,'duvo-local','b6ce88f5-76ed-4905-b465-9acf3b6a6514');
CREATE INDEX duvo_runs_status ON duvo_runs (status, created_at);
CREATE INDEX duvo_runs_created ON duvo_runs (created_at, id);
CREATE INDEX duvo_runs_agent ON duvo_runs (agent_id, created_at);
CREATE INDEX duvo_runs_number ON duvo_runs (run_number);
CREATE INDEX ix_duvo_requests_run_id ON duvo_requests (run_id);
CREATE INDEX ix_duvo_idempotency_created_at ON duvo_idempotency (created_at);
CREATE INDEX workflow_status_created_at_index ON workflow_status (created_at);
CREATE INDEX idx_workflow_topic ON notifications (destination_uuid, topic);
CREATE INDEX "idx_workflow_status_delayed" ON "workflow_status" ("delay_until_epoch_ms") WHERE status = 'DELAYED';
CREATE INDEX "idx_workflow_status_forked_from" ON "workflow_status" ("forked_from") WHERE "forked_from" IS NOT NULL;
CREATE INDEX "idx_workflow_status_parent_workflow_id" ON "workflow_status" ("parent_workflow_id") WHERE "parent_workflow_id" IS NOT NULL;
CREATE UNIQUE INDEX "uq_workflow_status_dedup_id" ON "workflow_status" ("queue_name", "deduplication_id") WHERE "deduplication_id" IS NOT NULL;
CREATE INDEX "idx_workflow_status_pending" ON "workflow_status" ("created_at") WHERE "status" = 'PENDING';
CREATE INDEX "idx_workflow_status_failed" ON "workflow_status" ("status", "created_at") WHERE "status" IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED');
CREATE INDEX "idx_workflow_status_rate_limited" ON "workflow_status" ("queue_name", "started_at_epoch_ms") WHERE "rate_limited" = TRUE;
CREATE INDEX "idx_workflow_status_completed_at" ON "workflow_status" ("completed_at") WHERE "completed_at" IS NOT NULL;
CREATE INDEX "idx_workflow_status_started_at" ON "workflow_status" ("started_at_epoch_ms") WHERE "started_at_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_workflow_status_schedule_name" ON "workflow_status" ("schedule_name") WHERE "schedule_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_owner_version"
    ON application_versions ("application_name", "version_name")
    WHERE "application_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_unclaimed_version"
    ON application_versions ("version_name")
    WHERE "application_name" IS NULL;
CREATE INDEX idx_workflow_input_retention
    ON workflow_input (retention_timestamp);
CREATE INDEX idx_workflow_output_retention
    ON workflow_output (retention_timestamp);
CREATE INDEX idx_operation_outputs_retention
    ON operation_outputs (retention_timestamp);
CREATE INDEX "idx_workflow_status_in_flight_v2" ON "workflow_status" ("queue_name", "status", "priority", "created_at", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING');
CREATE INDEX "idx_workflow_status_partition_dequeue_v3" ON "workflow_status" ("queue_name", "status", "queue_partition_key", "priority", "created_at", "workflow_uuid", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING') AND "queue_partition_key" IS NOT NULL;
CREATE INDEX "idx_operation_outputs_completed_at_function_name_v2" ON "operation_outputs" ("completed_at_epoch_ms", "function_name", "application_name");
CREATE INDEX "idx_workflow_status_deadline" ON "workflow_status" ("workflow_deadline_epoch_ms") WHERE "status" IN ('ENQUEUED', 'PENDING', 'DELAYED') AND "workflow_deadline_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_application_versions_timestamp" ON "application_versions" ("version_timestamp" DESC);
CREATE INDEX "idx_application_versions_owner_timestamp" ON "application_versions" ("application_name", "version_timestamp" DESC);
COMMIT;
